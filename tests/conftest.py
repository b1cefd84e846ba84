"""What every test may use: one real Kafka, topic names and a state folder of its own; and no silent skip."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from headrace.streams.broker import Running
    from tests.support.secured import Secured

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")
WATCH = "import sys, pathlib, headrace.streams.broker as b; sys.stdin.read(); b.stop(pathlib.Path(sys.argv[1]))"


def pytest_configure() -> None:
    """Let Ctrl-C mean Ctrl-C (a runner in the background has it ignored), and let children keep what they compile."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ)
    settings.register_profile("unhurried", unhurried)
    settings.load_profile("unhurried")  # a busy machine is no fault of the code
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the suite starts hundreds of processes of the same modules


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_developer() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HEADRACE_") and name != "HEADRACE_CACHE"]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "headrace-home"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The Kafka of the whole run: `.bootstrap` is its address. Started by the first test that asks for it."""
    from headrace.streams.broker import start

    home = tmp_path_factory.mktemp("kafka")
    with stopped_at_last(home):
        yield start(home, port=0)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The Kafka of the whole run that asks for passwords and certificates, and has rules."""
    from tests.support.secured import Secured

    home = tmp_path_factory.mktemp("secured")
    with stopped_at_last(home):
        yield Secured(home).start()


@pytest.fixture
def broker_home() -> Iterator[Path]:
    """A state folder of the test's own, in which it may start, kill and spoil a broker; HEADRACE_HOME names it."""
    home = Path(os.environ["HEADRACE_HOME"])
    with stopped_at_last(home):
        yield home


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Names for topics, groups and pipelines that no other test has: `topic()`, `topic("out")`; at most 40 characters.

    The same role gives the same name again within a test.
    """
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:20].strip("-")
    stem = f"{words if words[:1].isalpha() else f't-{words}'}-{secrets.token_hex(3)}"
    return lambda role="": f"{stem}-{role}"[:40] if role else stem


@contextmanager
def stopped_at_last(home: Path) -> Iterator[None]:
    """Stop the broker of a state folder at the end, even if pytest is killed: its watcher then reads end of file."""
    from headrace.streams.broker import stop

    command = [sys.executable, "-c", WATCH, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        try:
            yield
        finally:
            stop(home)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport | pytest.CollectReport]:
    """Fail a test that is skipped without leave."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.TestReport | pytest.CollectReport]:
    """Fail a module that is skipped without leave."""
    return _judged((yield))


def _judged(report: pytest.TestReport | pytest.CollectReport) -> pytest.TestReport | pytest.CollectReport:
    if report.skipped and not hasattr(report, "wasxfail") and not report.nodeid.startswith(_allowed()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} is skipped, and {ALLOWED_SKIPS.name} gives no leave: {reason}"
    return report


def _allowed() -> tuple[str, ...]:
    lines = ALLOWED_SKIPS.read_text().splitlines()
    return tuple(line.partition(": ")[0] for line in lines if line and not line.startswith("#"))
