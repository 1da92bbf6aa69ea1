"""What surrounds every request: its record, the key, rate limits and faults."""
