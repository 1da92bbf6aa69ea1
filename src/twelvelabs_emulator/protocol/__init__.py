"""What the API is: settings, errors, limits, faults, bodies and the request log."""
