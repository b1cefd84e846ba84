"""Steps that change a result after inference."""
