"""What the sensor does to light: the one noise model behind simulator, rejection and noise pane."""
