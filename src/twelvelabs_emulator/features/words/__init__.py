"""Texts and decoded media as weighted words: pure functions."""
