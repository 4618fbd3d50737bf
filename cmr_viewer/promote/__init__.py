"""Whether a candidate takes the active model's place."""
