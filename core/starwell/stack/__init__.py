"""The running and the exact stack: warp, reject by the noise model, accumulate, undo."""
