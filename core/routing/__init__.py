"""What a router decides, and how a record follows the decision."""
