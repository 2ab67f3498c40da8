"""Sources of rows: arrays, dataframes, files."""
