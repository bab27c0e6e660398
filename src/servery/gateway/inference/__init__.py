"""The Open Inference Protocol, version 2, apart from how it travels: one core for REST and gRPC."""
