"""How Headrace gets into a Kafka: its address, login and encryption, and what a refusal means."""
