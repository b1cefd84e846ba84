"""Kafka's jars: fetched once from Maven Central, found again without network.

jgo resolves jars only. Its `build` is not used, since it would also fetch a JDK of its own to look into them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

from headrace.streams.broker.errors import ExtraMissingError, JarsUnavailableError
from headrace.streams.broker.lock import locked
from headrace.streams.home import cache, writable

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

__all__ = ["KAFKA_VERSION", "kafka_jars"]

KAFKA_VERSION = "4.3.1"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka's own distribution adds the log4j binding; without it slf4j is silent. Fetched alone: as a second
# coordinate its parent's version list would replace kafka-clients 4.3.1 by 3.9.1.
BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4")
DOWNLOADS = 6


def kafka_jars(say: Callable[[str], None]) -> list[Path]:
    """Return the jars of Apache Kafka 4.3.1, downloaded if they are not in the cache yet.

    Raises:
        ExtraMissingError: HR404, jgo is not installed.
        JarsUnavailableError: HR405, no network, or what came is broken.
    """
    folder = writable(cache() / "maven")
    listing = folder / f"kafka-{KAFKA_VERSION}.json"
    remembered = _remembered(listing)
    if remembered:
        return remembered
    with locked(folder / "lock", on_wait=lambda: say("another process fetches Apache Kafka; waiting for it")):
        remembered = _remembered(listing)
        if remembered:
            return remembered
        jars = _fetch(folder, say)
        partial = listing.with_suffix(".partial")
        partial.write_text(json.dumps([str(jar.relative_to(folder)) for jar in jars], indent=1))
        partial.replace(listing)
        return jars


def _remembered(listing: Path) -> list[Path]:
    try:
        jars = [listing.parent / name for name in json.loads(listing.read_text())]
    except (OSError, ValueError, TypeError):
        return []
    return jars if all(jar.is_file() for jar in jars) else []


def _fetch(folder: Path, say: Callable[[str], None]) -> list[Path]:
    context = _context(folder)
    try:
        say(f"looking up the parts of Apache Kafka {KAFKA_VERSION}")
        artifacts = _artifacts(context)
        say(f"fetching {len(artifacts)} jars, 45 MB, this once, to {folder}")
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            jars = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
    except ParseError as error:
        # An earlier, interrupted look-up left half a file, and jgo takes what is there for whole.
        _remove(folder.rglob("*.pom"))
        raise JarsUnavailableError(f"a description was broken and has been removed ({error})") from error
    except (OSError, RuntimeError, ValueError) as error:  # requests' errors are OSErrors
        raise JarsUnavailableError(_reason(error)) from error
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    if broken:
        _remove(broken)
        raise JarsUnavailableError(f"{broken[0].name} came broken and has been removed")
    return jars


def _context(folder: Path) -> MavenContext:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise ExtraMissingError("jgo") from error
    remotes = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=folder, remote_repos=remotes, timeout=30)


def _artifacts(context: MavenContext) -> list[Artifact]:
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
    needed = [*inputs, *(one for one in transitive if one.scope in ("compile", "runtime"))]
    group, name, version = BINDING
    binding = context.project(group, name).at_version(version).artifact()
    return [*(dependency.artifact for dependency in needed), binding]


def _reason(error: Exception) -> str:
    request = getattr(error, "request", None)  # requests' errors say it with the whole chain of causes, 500 characters
    if request is not None:
        return f"{urlsplit(request.url).hostname} cannot be reached ({type(error).__name__})"
    return " ".join(str(error).split())[:300]


def _remove(files: Iterable[Path]) -> None:
    for file in list(files):
        file.unlink(missing_ok=True)
