"""The kinds of question, a file each."""
