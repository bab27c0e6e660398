"""From a data set to a registered version."""
