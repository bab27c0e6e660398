"""What computes outputs, a file each."""
