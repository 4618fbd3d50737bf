"""The models in use and their retraining."""
