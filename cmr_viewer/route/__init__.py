"""Which segmentation model serves a frame, and why."""
