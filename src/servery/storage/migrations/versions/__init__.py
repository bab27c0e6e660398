"""One file a step; the revision in it counts up."""
