"""The networks, a file each."""
