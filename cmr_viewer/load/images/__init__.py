"""Image files that are not DICOM, and the layouts of published sets."""
