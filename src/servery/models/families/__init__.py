"""The recipes, a file a family."""
