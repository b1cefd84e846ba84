"""Real children, real signals: started again when they die, given up when it is hopeless, ended together.

What is awaited is a line of the log, or an end of file; nothing here sleeps.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from headrace.streams.supervisor.child import TETHER
from headrace.streams.supervisor.state import read_states
from tests.streams.supervisor.conftest import PATIENT, UP, Start
from tests.support.client import until

READY = "import os; os.write(int(os.environ['HEADRACE_READY_FD']), b'x')\n"
AT_WORK = PATIENT.replace("while True", f"{READY}while True")
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + UP + "while True: signal.pause()"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_children_and_all_is_well(supervisor: Start, sign: signal.Signals) -> None:
    running = supervisor({"main": PATIENT, "expert-1": PATIENT, "expert-2": PATIENT})
    running.said(r"\| up", 3)
    running.signal(sign)
    assert running.end() == 0
    assert running.lines[-1].endswith("stopped: all 3 workers ended well")


def test_a_child_has_a_session_of_its_own_and_no_input(supervisor: Start) -> None:
    running = supervisor({"main": "import os, sys\nprint(os.getsid(0) == os.getpid(), sys.stdin.read())\n" + PATIENT})
    running.said(r"\| True")
    assert running.stop() == 0


def test_a_killed_child_is_started_again_at_once_while_its_neighbour_runs_on(supervisor: Start) -> None:
    running = supervisor({"main": PATIENT, "expert": AT_WORK})
    running.said(r"expert is ready")
    running.said(r"\| up", 2)
    killed = int(running.said(r"expert started, process \d+")[0].rpartition(" ")[2])
    for again in range(1, 6):
        os.kill(killed, signal.SIGKILL)
        told = running.said(r"expert was killed by SIGKILL after .* starting it again in 0\.1 s", again)
        assert len(told) == again, "it was ready, so no pause grows"
        running.said(r"expert is ready", again + 1)
        killed = int(running.said(r"expert started, process \d+", again + 1)[-1].rpartition(" ")[2])
    assert len(running.said("main started")) == 1
    running.said(r"expert +\| up", 6)
    assert running.stop() == 0


@pytest.mark.provokes("HR412")
def test_a_child_that_fails_three_times_before_it_is_ready_stops_all_and_is_quoted(supervisor: Start) -> None:
    fails = (
        "import sys; print('HR301 reviews@1 has other hashes; add it again', file=sys.stderr); print('bye'); exit(1)"
    )
    running = supervisor({"main": PATIENT, "expert-1": fails})
    assert running.end() == 1
    assert running.lines[-1].endswith(
        "HR412 worker 'expert-1' failed 3 times in a row before it was ready, so all were stopped; "
        "it said: HR301 reviews@1 has other hashes; add it again"
    )
    assert len(running.said(r"expert-1 started")) == 3
    assert running.process.returncode == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("exit(0)", "ended with exit code 0, though nobody told it to, so all were stopped; it said nothing"),
        ("exit(2)", "cannot be started: it ended with exit code 2"),
    ],
)
def test_a_child_that_ends_for_good_stops_all_at_once(supervisor: Start, code: str, told: str) -> None:
    running = supervisor({"main": PATIENT, "expert": code})
    assert running.end() == 1
    assert told in running.lines[-1]
    assert len(running.said("expert started")) == 1


def test_a_program_that_there_is_not_or_that_cannot_run_is_named(supervisor: Start, tmp_path: Path) -> None:
    running = supervisor({"main": PATIENT, "expert": [str(tmp_path / "none"), "--group"]})
    assert running.end() == 1
    assert f"it said: {tmp_path}/none cannot be started: no such file" in running.lines[-1]
    (tmp_path / "text").write_text("text")
    running = supervisor({"main": PATIENT, "expert": [str(tmp_path / "text")]})
    assert running.end() == 1
    assert "cannot be started: permission denied" in running.lines[-1]


def test_a_child_that_crashes_is_started_again_for_as_long_as_it_takes(supervisor: Start, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    code = f"file = open({str(tries)!r}, 'a'); file.write('x'); file.close()\n"
    code += f"import os\nif os.path.getsize({str(tries)!r}) < 5: os.abort()\n"
    running = supervisor({"main": code + PATIENT})
    running.said(r"main +\| up")
    pauses = [float(re.findall(r"in ([\d.]+) s", line)[0]) for line in running.said("was killed by SIGABRT", 4)]
    assert pauses == sorted(pauses), "the pause grows while it keeps dying young"
    assert pauses[0] < 0.2
    assert running.stop() == 0


def test_who_failed_after_it_was_ready_is_tried_again(supervisor: Start, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    count = f"file = open({str(tries)!r}, 'a'); file.write('x'); file.close()\nimport os, signal\n"
    code = f"{count}if 1 < os.path.getsize({str(tries)!r}) < 5: exit('HR201 no broker')\n"
    running = supervisor({"main": code + AT_WORK})
    running.said("main is ready")
    os.kill(running.pids[0], signal.SIGKILL)
    assert len(running.said("ended with exit code 1", 3)) == 3
    running.said(r"main is ready", 2)
    assert running.stop() == 0


@pytest.mark.provokes("HR413")
def test_a_child_that_does_not_end_is_killed_and_named(supervisor: Start) -> None:
    running = supervisor({"main": PATIENT, "expert": DEAF}, patience_s=5)
    running.said(r"\| up", 2)
    assert running.stop() == 1
    assert running.lines[-1].endswith("HR413 1 of 2 workers did not end well: expert was killed by SIGKILL")


def test_a_child_that_ends_with_an_error_when_told_is_named(supervisor: Start) -> None:
    sore = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: exit('HR411 not drained'))\n" + UP
    running = supervisor({"main": PATIENT, "expert": sore + "while True: signal.pause()"})
    running.said(r"\| up", 2)
    assert running.stop() == 1
    assert running.lines[-1].endswith("HR413 1 of 2 workers did not end well: expert ended with exit code 1")


def test_a_second_signal_is_passed_on_and_a_third_one_kills(supervisor: Start) -> None:
    counts = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('told', flush=True))\n" + UP
    running = supervisor({"main": counts + "while True: signal.pause()"})
    running.said(r"\| up")
    running.signal(signal.SIGINT)
    running.said(r"\| told")
    running.signal(signal.SIGINT)
    running.said(r"\| told", 2)
    running.signal(signal.SIGINT)
    assert running.end() == 1
    assert "main was killed by SIGKILL" in running.lines[-1]


def test_a_signal_while_a_child_waits_to_be_started_again_ends_it_at_once(supervisor: Start) -> None:
    running = supervisor({"main": "import os; os.abort()"})
    running.said("starting it again in [1-9]")  # long enough to strike within
    assert running.stop() == 0


def test_children_end_when_the_supervisor_is_killed(supervisor: Start, tmp_path: Path) -> None:
    told = tmp_path / "told"
    drains = PATIENT.replace("exit(0)", f"(open({str(told)!r}, 'w').close(), exit(0))")
    running = supervisor({"main": drains})
    running.said(r"\| up")
    running.signal(signal.SIGKILL)
    running.end()
    until("the child's end", told.exists)


def test_a_child_whose_supervisor_died_before_it_was_tied_does_not_begin(tmp_path: Path) -> None:
    words = [sys.executable, "-I", "-S", str(TETHER), "1", "touch", str(tmp_path / "begun")]
    assert subprocess.run(words, check=False).returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "begun").exists()


def test_what_children_do_is_kept_in_a_file(supervisor: Start, tmp_path: Path) -> None:
    file = tmp_path / "states.json"
    assert read_states(file) == {}
    running = supervisor({"main": AT_WORK, "expert": PATIENT}, state_file=str(file))
    running.said(r"main is ready")
    running.said(r"\| up", 2)
    found = read_states(file)
    assert {name: (state.doing, state.starts) for name, state in found.items()} == {
        "main": ("ready", 1),
        "expert": ("starting", 1),
    }
    assert {found["main"].pid, found["expert"].pid} == set(running.pids)
    os.kill(found["main"].pid or 0, signal.SIGKILL)
    running.said(r"main is ready", 2)
    assert read_states(file)["main"].starts == 2
    assert running.stop() == 0
    assert not file.exists()


def test_twenty_children_speak_at_once_and_no_line_is_torn(supervisor: Start) -> None:
    speaks = "import os\n[os.write(1, b'%d %s\\n' % (at, b'y' * 500)) for at in range(200)]\n" + PATIENT
    names = [f"w-{at}" for at in range(20)]
    running = supervisor(dict.fromkeys(names, speaks))
    running.said(r"\| up", 20)
    assert running.stop() == 0
    for name in names:
        heard = [line.partition("| ")[2] for line in running.lines if line.startswith(f"{name} ") and "yyy" in line]
        assert heard == [f"{at} {'y' * 500}" for at in range(200)]


def test_a_flood_makes_the_child_wait_and_not_the_supervisor_grow(supervisor: Start) -> None:
    running = supervisor({"main": "import os\nwhile True: os.write(1, b'z' * 99 + b'\\n')", "expert": PATIENT})
    running.said("zzz", 1000)
    process = psutil.Process(running.process.pid)
    before = process.memory_info().rss
    with running._news:  # the log is not read now, so its pipe fills
        until("the flooding child to wait", idleness(running.pids[0]))
    assert process.memory_info().rss - before < 20_000_000
    assert running.stop() == 0


def idleness(pid: int) -> Callable[[], bool]:
    """Return what says whether a process has used no time for ten looks in a row, 20 ms apart."""
    looks: deque[float] = deque(maxlen=10)

    def is_idle() -> bool:
        looks.append(sum(psutil.Process(pid).cpu_times()[:2]))
        return len(looks) == looks.maxlen and len(set(looks)) == 1

    return is_idle


def test_a_child_may_close_its_output_and_live_on(supervisor: Start, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    code = f"import os, signal\nos.close(1); os.close(2)\nopen({str(closed)!r}, 'w').close()\n"
    running = supervisor({"main": code + "signal.pause()"})
    until("it to have closed its output", closed.exists)
    running.said("main started")
    os.kill(running.pids[0], 0)
    assert running.stop() == 0


def test_what_a_dying_child_wrote_last_is_heard_even_without_an_end_of_line(supervisor: Start) -> None:
    running = supervisor({"main": "import os; os.write(2, b'half a li'); os._exit(2)"})
    assert running.end() == 1
    assert len(running.said(r"main +\| half a li$")) == 1
    assert running.lines[-1].endswith("it said: half a li")


def test_a_grandchild_that_keeps_the_pipe_does_not_delay_the_next_start(supervisor: Start, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    code = f"file = open({str(tries)!r}, 'a'); file.write('x'); file.close()\nimport os, signal\n"
    code += f"if os.path.getsize({str(tries)!r}) < 3:\n    if os.fork() == 0: signal.alarm(20); signal.pause()\n"
    running = supervisor({"main": f"{code}    os.abort()\n{PATIENT}"}, output_s=0.5)
    running.said(r"main +\| up")
    assert running.stop() == 0


def test_with_json_every_line_is_json_and_those_of_workers_are_unchanged(supervisor: Start) -> None:
    line = '{"level": "info",  "worker": "w", "message": "\\u00e9 up"}'
    code = f"print({line!r}); print('plain \\x1b[31m'); print('{{broken')\n"
    running = supervisor({"main": code + PATIENT}, form="json", facts={"pipeline": "reviews"})
    running.said(r'"message": "up"')
    assert running.stop() == 0
    assert line in running.lines
    said = [json.loads(line) for line in running.lines]
    assert {"plain \x1b[31m", "{broken"} <= {one["message"] for one in said if one.get("worker") == "main"}
    own = [one for one in said if one.get("logger") == "headrace.supervisor"]
    assert {one["pipeline"] for one in own} == {"reviews"}
    assert own[-1]["message"] == "stopped: the worker ended well"
