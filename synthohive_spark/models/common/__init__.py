"""What the models share: options, budget, tensor layout, held-out rows, calibration, storage."""
