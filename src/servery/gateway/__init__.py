"""HTTP: routes, access, limits, admission, telemetry."""
