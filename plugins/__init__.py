"""The built-in steps, found and loaded exactly as a stranger's: by entry points."""
