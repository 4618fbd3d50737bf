"""What is known of a study, as a report to print or to keep: PDF, HTML and CSV."""
