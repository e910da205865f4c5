"""DiDE's report: results, tables, figures, claims."""
