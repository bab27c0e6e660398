"""Questions with long samples, one file each; the field files import them."""
