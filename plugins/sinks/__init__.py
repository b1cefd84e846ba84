"""Steps that deliver results."""
