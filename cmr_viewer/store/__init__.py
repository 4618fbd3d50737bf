"""What is saved: annotations, events, predictions, models."""
