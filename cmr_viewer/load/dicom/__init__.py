"""Bytes of DICOM files to headers and pixels of single frames."""
