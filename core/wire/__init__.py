"""The public message contract: results, dead letters, CloudEvents and trace headers."""
