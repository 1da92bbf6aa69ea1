"""What surrounds every request: its record, the API key, rate limits and faults."""
