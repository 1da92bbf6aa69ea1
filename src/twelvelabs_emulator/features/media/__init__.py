"""Media files: read, checked against the API's limits, decoded."""
