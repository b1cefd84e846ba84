"""What Headrace thinks with: records, steps, plans, wire formats and decisions. No I/O, no Kafka."""
