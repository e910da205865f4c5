"""What only EDJE's report has: its results, claims, tables and figures."""
