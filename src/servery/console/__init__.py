"""Web pages, no logic of their own."""
