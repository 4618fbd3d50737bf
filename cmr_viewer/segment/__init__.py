"""Label maps from the segmentation models."""
