"""Frames in from every dialect, stacks out for every program, written whole or not at all."""
