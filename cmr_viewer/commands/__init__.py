"""The commands of `cmr-viewer` that need no window."""
