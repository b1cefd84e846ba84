"""Keep the Kafka client's own log off the terminal of commands: what matters of it they say themselves, in one line."""

from __future__ import annotations

import logging

__all__ = ["hush"]


def hush() -> None:
    """Silence aiokafka's log in this process."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
