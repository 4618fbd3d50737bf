"""Which region a frame shows: base, middle, apex or non-cardiac."""
