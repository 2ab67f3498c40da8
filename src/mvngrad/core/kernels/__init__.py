"""Compiled loops; each names the NumPy function that specifies it. Importing this loads nothing."""
