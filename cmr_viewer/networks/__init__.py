"""Network architectures, their weights on disk and the device they run on; the lowest place that imports torch."""
