"""What only the gating report has: its results, claims, tables and figures."""
