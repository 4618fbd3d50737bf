"""Brush, label and image tools, and tools that change a whole label map."""
