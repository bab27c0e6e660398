"""The engine, no HTTP: replicas, batches, what is loaded."""
