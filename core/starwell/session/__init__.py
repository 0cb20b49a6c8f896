"""The walk of a frame from sensor to stack, as events."""
