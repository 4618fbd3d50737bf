"""Keys: which action has which, and how a reader changes them."""
