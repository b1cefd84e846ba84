"""The runtime on Kafka: the record loop, topics, broker, client and command line."""
