"""Contours that a reader drags."""
