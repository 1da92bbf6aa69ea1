"""Lets any of these files run by itself: imports langchain-community with its deprecation warning silenced."""

from tests.support import adapters  # noqa: F401
