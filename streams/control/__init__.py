"""The control topic: read whole before the first record, followed afterwards, written by commands."""
