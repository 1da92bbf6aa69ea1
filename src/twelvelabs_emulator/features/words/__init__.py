"""Texts and decoded media as weighted words."""
