"""Data sets: reading, columns, splits, checks."""
