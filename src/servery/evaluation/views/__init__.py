"""What a report shows of some tasks only, a file each."""
