"""What is kept: annotations, events, predictions, models."""
