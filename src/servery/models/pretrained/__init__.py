"""Kinds of pretrained models in the Hugging Face layout: a file each, found by being there."""
