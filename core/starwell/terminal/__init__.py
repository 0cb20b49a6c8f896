"""Arrays to text for a terminal; pure, and no textual."""
