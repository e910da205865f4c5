"""Vision encoders and the token store."""
