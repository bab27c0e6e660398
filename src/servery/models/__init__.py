"""Recipes and predictors."""
