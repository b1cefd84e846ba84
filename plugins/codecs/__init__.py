"""Steps that turn message bytes into records."""
