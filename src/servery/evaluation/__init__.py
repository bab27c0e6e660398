"""What a model is worth: metrics, calibration, cross-validation, report."""
