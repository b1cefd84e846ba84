"""The pipeline file: YAML with places, the envelope, the environment, expressions."""
