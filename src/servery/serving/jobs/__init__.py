"""Jobs: many rows answered in the background, in a queue that outlives the process."""
