"""What several endpoints share: reading inputs and writing parts of responses."""
