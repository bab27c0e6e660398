"""One file a listener beside HTTP; found by its file, each with a module-level `LISTENER` (see `listener.py`)."""
