"""Figures, tables and claims the notebooks show, and the rendering of the notebooks themselves."""
