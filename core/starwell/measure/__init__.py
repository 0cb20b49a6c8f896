"""What a sub is worth: noise, sky, stars, transparency, and whether it may be stacked."""
