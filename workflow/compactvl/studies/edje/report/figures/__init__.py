"""EDJE's figures. Each takes the study's results and returns a figure, or what keeps it from being drawn."""
