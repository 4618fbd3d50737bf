"""Volumes, curves, wall thickness and the patient they belong to."""
