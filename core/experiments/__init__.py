"""Experiments: which unit meets which variant; pure arithmetic, no I/O."""
