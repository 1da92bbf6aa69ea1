"""What is kept: results by key, the journal of uploads and tasks, vectors by id."""
