"""The official SDK's example scripts, with this package."""
