"""The mathematics of the note: arrays in, arrays out; no models, no files, no optimisers."""
