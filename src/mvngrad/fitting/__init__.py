"""From data and a model to a Fit: starts, drivers, one convergence test, one trace."""
