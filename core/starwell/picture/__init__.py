"""Linear pixels to something to look at, never back."""
