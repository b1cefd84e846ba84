"""Talking to a pipeline's topics from outside: publish messages, read results and dead letters."""
