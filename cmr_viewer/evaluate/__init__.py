"""How good the label maps and regions are, by region."""
