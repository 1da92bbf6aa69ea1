"""The API's endpoints, one file for each group of paths."""
