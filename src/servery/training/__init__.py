"""The trainer: seeded, resumable, on time."""
