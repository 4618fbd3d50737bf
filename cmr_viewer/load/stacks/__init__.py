"""Headers of DICOM frames to stacks, long-axis views and a study."""
