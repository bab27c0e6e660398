"""How inputs of one modality look on the wire: a file each for text, pictures and table rows."""
