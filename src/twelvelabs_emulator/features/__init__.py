"""From media to words, and from words to vectors."""
