"""From a Study's frames to a network's grid and exactly back."""
