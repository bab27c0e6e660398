"""Artifacts and the registry of versions."""
