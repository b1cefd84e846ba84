"""The peer in Java, compiled here with its libraries from Maven Central; it needs `java`, `javac` and `mvn`."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.bench import Bench

__all__ = ["WARM_S", "build_peer", "library_version", "peer"]

WARM_S = 6.0
"""A JVM compiles for so many seconds until it is as fast as it gets."""

_SOURCES = Path(__file__).parent / "streams"


def build_peer(bench: Bench) -> None:
    """Compile it, once for a bench.

    Raises:
        SystemExit: Java or Maven is not installed, or Maven Central is out of reach; a comparison without the peer is
            none.
    """
    folder = bench.folder / "streams"
    if (folder / "Peer.class").exists():
        return
    folder.mkdir(exist_ok=True)
    copy = f"-DoutputDirectory={folder / 'libs'}"
    bench.run("mvn", "-q", "-B", "-f", str(_SOURCES / "pom.xml"), "dependency:copy-dependencies", copy)
    sources = [str(file) for file in sorted(_SOURCES.glob("*.java"))]
    bench.run("javac", "-nowarn", "-cp", f"{folder}/libs/*", "-d", str(folder), *sources)


def peer(bench: Bench, source: str, target: str, *, work: str, model: str, guarantee: str = "") -> list[str]:
    """Return the command line of the peer.

    Args:
        bench: has compiled it.
        source: the topic it reads.
        target: the topic it writes.
        work: raw, json or minilm.
        model: the folder with model.onnx.
        guarantee: as Kafka Streams names it, if not its default.
    """
    folder = bench.folder / "streams"
    java = [
        "java",
        "-Xmx1g",
        "-Dai.djl.offline=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{folder}:{folder}/libs/*",
    ]
    return [*java, "Peer", bench.bootstrap, source, target, work, model, *([guarantee] if guarantee else [])]


def library_version(artifact: str) -> str:
    """Return the version of a library that the peer is built with."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    for found in ElementTree.parse(_SOURCES / "pom.xml").iterfind(".//m:dependency", space):
        if found.findtext("m:artifactId", namespaces=space) == artifact:
            return found.findtext("m:version", "", space)
    raise LookupError(artifact)
