"""Many items: a batch, a stream, a plan of what they would take, a progress bar."""
