"""What leaves the program: label maps, images, contours, tables, reports; with or without who the patient is."""
