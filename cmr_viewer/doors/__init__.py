"""The doors without a window: what each command of `cmr-viewer` does."""
