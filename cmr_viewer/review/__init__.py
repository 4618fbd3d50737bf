"""Correct and accept, without Qt."""
