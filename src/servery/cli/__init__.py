"""The command line, thin and lazy: a verb each."""
