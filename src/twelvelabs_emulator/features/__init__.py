"""From media to words, and from words to vectors. Only sizes, formats and durations raise the API's errors."""
