"""The version of Headrace, in a file of its own so that reading it imports nothing else."""

VERSION = "0.1.0"
