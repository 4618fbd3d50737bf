"""Clicks inside and outside a label, each of which segments the frame around it."""
