"""The reader's effort at the study."""
