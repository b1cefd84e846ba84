"""What can be said of files and messages before there are any: keys, JSON Schemas, AsyncAPI."""
