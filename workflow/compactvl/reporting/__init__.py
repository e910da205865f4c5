"""What every paper's report shares; what is one paper's own is in ``studies/<paper>/report/``."""
