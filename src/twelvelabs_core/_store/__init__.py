"""What a vector store holds: rows made of segments, and what a search found put together again."""
