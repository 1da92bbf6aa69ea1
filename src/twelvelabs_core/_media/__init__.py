"""Media: a source, opened, typed, measured and digested once."""
