"""Label maps that follow from a click or from another frame."""
