"""Steps that change a record before inference."""
