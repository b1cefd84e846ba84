"""Steps that choose models."""
