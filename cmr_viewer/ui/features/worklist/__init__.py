"""The studies of the workspace."""
