"""Who judges what a task cannot judge by itself, one file each."""
