"""The embedded broker: a real Apache Kafka in one Java process."""
