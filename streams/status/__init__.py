"""How a running pipeline does, seen from the broker alone: lag, members, workers, what was changed."""
