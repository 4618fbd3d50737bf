"""What to review next, and how long reviewing takes."""
