"""Whether a candidate replaces the active model."""
