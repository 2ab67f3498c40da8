"""What may vary: covariance structures, means, and the objective they make with data."""
