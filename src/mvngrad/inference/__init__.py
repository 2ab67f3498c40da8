"""What is said about estimates: missing values, imputations; on numbers, never on a Fit."""
