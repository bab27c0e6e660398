"""Smaller and faster variants of a predictor."""
