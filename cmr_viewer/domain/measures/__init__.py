"""What is measured on label maps: volumes, wall, segments, and what they mean for a patient."""
