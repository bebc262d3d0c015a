"""What the values of a column mean: found on names and samples, on executors, and kept without a value."""
