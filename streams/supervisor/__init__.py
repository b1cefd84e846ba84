"""Several workers as children of one process: started, watched, started again, and stopped together."""
