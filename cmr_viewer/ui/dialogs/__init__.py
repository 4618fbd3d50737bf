"""Dialogs about a study or the program that belong to no feature."""
