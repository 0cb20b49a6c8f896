"""Star positions in, a transform or a reason out."""
