"""Plain torch layers and losses."""
