"""The report of the study of encoder roles."""
