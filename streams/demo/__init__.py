"""What `headrace demo` does, by the public commands alone."""
