"""Label maps and contours of other programs."""
