"""Steps that split and tag traffic."""
