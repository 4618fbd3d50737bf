"""Which model segments a frame, and why."""
