"""Cutting an ONNX graph into parts, and proving that the parts answer as the whole."""
