"""Other engines, each doing the same work with the same functions, so that what differs is the engine."""
