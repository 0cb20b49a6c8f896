"""Capture deep-sky subs, live-stack them, and tell the truth about their noise."""

__version__ = "0.1.0"
