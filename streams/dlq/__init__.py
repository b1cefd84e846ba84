"""Dead letters seen from outside: which there are, and publishing them again."""
