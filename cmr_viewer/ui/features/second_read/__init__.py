"""A second reader, and two reads side by side."""
