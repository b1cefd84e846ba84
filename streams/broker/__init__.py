"""The embedded broker: a real Apache Kafka in one Java process."""

from headrace.streams.broker.address import bootstrap
from headrace.streams.broker.container import in_container
from headrace.streams.broker.embedded import Progress, obituary, start, status, stop
from headrace.streams.broker.state import Running

__all__ = ["Progress", "Running", "bootstrap", "in_container", "obituary", "start", "status", "stop"]
