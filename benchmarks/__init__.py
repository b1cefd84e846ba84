"""Measurements beside their peers, in one run: `make bench`. Figures are medians; ratios are what counts."""
