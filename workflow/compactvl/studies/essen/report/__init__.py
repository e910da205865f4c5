"""ESsEN's report: results, tables, figures, claims."""
