"""What the embedded Kafka is told: its settings, its log, its Java options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.streams.broker.folders import Folders
from headrace.streams.broker.port import HOST

__all__ = ["java_options", "log_settings", "server_settings"]


def server_settings(data: Path, *, port: int, controller_port: int) -> str:
    """Return Kafka's settings for one node that is broker and controller, with nothing replicated."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "log.dirs": _escaped(data),
        # A mistyped topic must be an error, not a new topic.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # 50 partitions each by default: as many files to open and to recover, for a handful of groups.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        # 128 MB by default, taken in one piece at the start; this much holds more than a million keys of a segment.
        "log.cleaner.dedupe.buffer.size": str(32 << 20),
        # 100 MB by default, and the segment written last is not compacted. Half an hour of commits, 180,000 records,
        # took 5 s to load after a kill -9. Kafka 4.3.1 must not take so long: 1 s later it begins to load them again,
        # as a new leader, and when the first load ends behind that, its coordinator is ready with nothing in it.
        "offsets.topic.segment.bytes": str(1 << 20),
        "transaction.state.log.segment.bytes": str(1 << 20),
        # After a kill -9 the new process is let in when the old one's session is over: 9 s by default. 3 s are
        # long for a heartbeat that never leaves the process.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # 3 s by default, to wait for more members; here the first one is usually the only one.
        "group.initial.rebalance.delay.ms": "0",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def log_settings(logs: Path) -> str:
    """Return log4j2's settings: one file of at most 10 MB and three older ones."""
    return f"""\
status=error
monitorInterval=0
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={_escaped(logs / "kafka.log")}
appender.file.filePattern={_escaped(logs / "kafka.%i.log")}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.fileIndex=min
appender.file.strategy.max=3
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
# 250 lines of settings at each start, several times over
logger.config.name=org.apache.kafka.common.config.AbstractConfig
logger.config.level=warn
"""


def java_options(folders: Folders, jars: Sequence[Path]) -> list[str]:
    """Return the options of the Java process, up to its main class.

    Measured on two cores with Java 17 and 25: without the second compiler (TieredStopAtLevel=1) ready in 2.6 s
    instead of 4.0, and half the CPU a message over the first 600,000; G1 instead of the serial collector changes
    neither. At 50 small transactions a second the young generation of 103 MB that it chooses by itself was collected
    every 7 s, for 60 to 130 ms; one of 24 MB is every 1.3 s, for 20 ms.
    """
    return [
        "-Xmx512m",
        "-Xmn24m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-XX:ErrorFile={folders.logs / 'java-crash-%p.log'}",
        "-XX:+ExitOnOutOfMemoryError",  # half a broker is worse than none: its end is noticed
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={folders.log4j.as_uri()}",
        "-cp",
        ":".join(map(str, jars)),
    ]


def _escaped(path: Path) -> str:
    r"""Write a path as java.util.Properties reads it: ASCII, everything else as \uXXXX."""
    escaped = str(path).replace("\\", "\\\\")
    units = escaped.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)
