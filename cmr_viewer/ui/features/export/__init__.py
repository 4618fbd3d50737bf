"""Label maps from other programs, and files and reports for others."""
