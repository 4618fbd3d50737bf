"""What is known of a study, as a report to print or to save: PDF, HTML and CSV."""
