"""Files to a Study: DICOM, NIfTI and the other image formats, contours."""
