"""The application fields, one file each; `all_fields()` finds them."""
