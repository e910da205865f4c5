"""What every file was made from and by: records, provenance, checks, and the way back."""
