"""Steps that infer."""
