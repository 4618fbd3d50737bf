"""The layouts of the desk: one frame, two side by side, many at once."""
