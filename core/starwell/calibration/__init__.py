"""Masters, and what they take away from a sub."""
