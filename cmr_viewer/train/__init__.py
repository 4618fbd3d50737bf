"""Training of the classifier, the baseline and the specialists."""
