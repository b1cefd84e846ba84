"""The attempt journal of a stage: what its committed offsets say of records in flight, and whom that makes a suspect.

A partition is marked before the first batch that is read from it after an assignment; its next commit takes the mark
away. So a mark of another process means that this one died, or was cut off, without getting further. What it may have
had in flight is then suspect: taken one record at a time, each named in the metadata of the committed offset before it
goes to its steps. Only a record that was named is charged with a death.

A record of egress whose join is over by time needs no message to go to its steps. Batches of such records are marked
with the time instead, and are suspects up to that time, named by where their own messages lie.

Pure: what is written, and when, is up to others.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from headrace.core.wire.journal import FORMAT, Entry, decode_entry, encode_entry

__all__ = ["DEATHS", "Found", "Journal"]

log = logging.getLogger(__name__)

DEATHS = 3
"""How often a record may be alone in flight when its process dies."""


class Found(NamedTuple):
    """What is known of a partition when reading begins: its committed offset, that one's metadata, and its end."""

    offset: int
    metadata: str
    end: int


@dataclass
class _Window:
    """The suspects of a partition: every record before `until`.

    Attributes:
        until: the first offset that is not suspect.
        left: how many records may still be; a process had not more of them in flight.
        deaths: those of the records of the first message, by their place in it.
        offset: where that message lies; None until it is read.
        at: which record of it is in flight.
        tick: until when those are suspects, epoch milliseconds, whose join is over by time; None when none are.
        source: which of them is in flight.
        timed: the deaths of these.
    """

    until: int
    left: int
    deaths: dict[int, int] = field(default_factory=dict)
    offset: int | None = None
    at: int | None = None
    tick: int | None = None
    source: str | None = None
    timed: dict[str, int] = field(default_factory=dict)


class Journal:
    """Knows the marks and the suspects of the partitions that a stage reads here.

    Args:
        stage: its name, for the log.
        reach: how many records a process may have in flight.
        by: names this process; no other one ever had the name.
    """

    def __init__(self, stage: str = "", reach: int = 0, by: str = "") -> None:
        self._stage, self._reach, self._by = stage, reach, by or uuid4().hex[:12]
        self._marked: dict[Any, int] = {}
        self._begun: set[Any] = set()
        self._ticks: dict[Any, int] = {}
        self._ticked: set[Any] = set()
        self._windows: dict[Any, _Window] = {}
        self._is_let_go = False
        self.is_off = False
        """Whether the broker takes no metadata; then nobody is ever a suspect."""

    def begin(self, found: Mapping[Any, Found]) -> None:
        """Take what the offsets of the partitions say that are read from now on."""
        self._marked.clear()
        self._begun.clear()
        self._ticks.clear()
        self._ticked.clear()
        self._is_let_go = False
        before, self._windows = self._windows, {}
        for tp, one in found.items():
            window = self._window(tp, one, is_known=tp in before)
            if window is not None and (window.until > one.offset or window.tick is not None):
                self._windows[tp] = window

    def start(self, firsts: Mapping[Any, int]) -> list[Any]:
        """Mark partitions of which a batch is about to go to its steps; return those whose mark is to be written.

        Args:
            firsts: the first offset of the batch in each of them.
        """
        if self.is_off or self._is_let_go:
            return []
        fresh = [tp for tp in firsts if tp not in self._begun]
        self._begun.update(fresh)
        self._marked.update({tp: firsts[tp] for tp in fresh})
        return fresh

    def start_ticks(self, ticks: Mapping[Any, int]) -> list[Any]:
        """Mark partitions of which records are about to go to their steps because of the time; else as `start`.

        Args:
            ticks: that time, epoch milliseconds.
        """
        if self.is_off or self._is_let_go:
            return []
        fresh = [tp for tp in ticks if tp not in self._ticked]
        self._ticked.update(fresh)
        self._ticks.update({tp: ticks[tp] for tp in fresh})
        return fresh

    def survived(self, tp: Any) -> None:
        """Take note that what the time brought to a partition's steps has gone through them."""
        self._ticks.pop(tp, None)
        window = self._windows.get(tp)
        if window is not None:
            window.source, window.timed = None, {}

    def suspect_timed(self, tp: Any, source: str) -> bool:
        """Name a record that is about to go to its steps alone because of the time; whether that is to be written."""
        window = self._windows.get(tp)
        if window is None or self.is_off or self._is_let_go:
            return False
        window.source = source
        return True

    def timed_deaths(self, tp: Any, source: str) -> int:
        """Return how often a record has died that went to its steps because of the time."""
        window = self._windows.get(tp)
        return window.timed.get(source, 0) if window is not None else 0

    def suspect(self, tp: Any, offset: int, at: int) -> bool:
        """Name a record that is about to go to its steps alone; whether that is to be written.

        Args:
            tp: the partition.
            offset: where its message lies.
            at: its place in that message.
        """
        window = self._windows.get(tp)
        if window is None or self.is_off or self._is_let_go:
            return False
        window.offset, window.at, window.source = offset, at, None
        window.left -= 1
        return True

    def deaths(self, tp: Any, at: int) -> int:
        """Return how often a record of a partition's first message has died."""
        window = self._windows.get(tp)
        return window.deaths.get(at, 0) if window is not None else 0

    def words(self, tp: Any, offset: int) -> str:
        """Return the metadata that goes with an offset."""
        window = self._windows.get(tp)
        if window is not None and (offset < window.until or window.tick is not None):
            entry = Entry(format=FORMAT, by=self._by, until=window.until, tick=window.tick)
            if window.offset is None or offset <= window.offset:
                entry = msgspec.structs.replace(
                    entry, at=window.at, deaths=window.deaths, source=window.source, timed=window.timed
                )
        elif offset <= self._marked.get(tp, -1) or tp in self._ticks:
            entry = Entry(format=FORMAT, by=self._by, tick=self._ticks.get(tp))
        else:
            return ""
        return "" if self.is_off else encode_entry(entry)

    def committed(self, offsets: Mapping[Any, int]) -> None:
        """Take note of commits: what lies before them is through."""
        for tp, offset in offsets.items():
            if offset > self._marked.get(tp, offset):
                del self._marked[tp]
            window = self._windows.get(tp)
            if window is None:
                continue
            if window.offset is not None and offset > window.offset:
                window.deaths, window.offset, window.at = {}, None, None
            if window.left <= 0 and window.offset is None:
                window.until = offset
            if window.tick is None:
                self.passed(tp, offset)

    def passed(self, tp: Any, offset: int, due_ms: float | None = None) -> None:
        """Close a partition's window once nothing before its end is left to read, and no wait before its time.

        Args:
            tp: the partition.
            offset: up to where it was read.
            due_ms: when its next join is over by time; None when there is none.
        """
        window = self._windows.get(tp)
        if window is None:
            return
        if window.tick is not None and (due_ms is None or due_ms >= window.tick):
            window.tick = None
        if offset >= window.until and window.tick is None:
            del self._windows[tp]
            log.info("%s: nobody is suspect any more in partition %d", self._stage, tp.partition)

    def let_go(self) -> list[Any]:
        """Name nobody any more until `begin`: this process ends, or gives its partitions away, of its own will.

        Returns the partitions whose metadata is to be written for that.
        """
        self._is_let_go = True
        told = {tp for tp, window in self._windows.items() if window.at is not None or window.source is not None}
        for tp in told:
            self._windows[tp].at = self._windows[tp].source = None
        told |= {*self._marked, *self._ticks}
        self._marked.clear()
        self._ticks.clear()
        return list(told)

    def suspects(self, waiting: Collection[tuple[str, int]] = ()) -> set[Any]:
        """Return the partitions with suspects, but for those that wait for a record."""
        return {tp for tp in self._windows if (tp.topic, tp.partition) not in waiting}

    def give_up(self) -> None:
        """The broker takes no metadata."""
        self.is_off = True
        self._windows.clear()
        self._marked.clear()
        self._ticks.clear()
        log.warning(
            "%s: the broker keeps no metadata with offsets (offset.metadata.max.bytes), so a record that kills its "
            "process is not found",
            self._stage,
        )

    def _window(self, tp: Any, found: Found, *, is_known: bool) -> _Window | None:
        entry = decode_entry(found.metadata)
        if entry is None or self.is_off:
            return None
        is_own = entry.by == self._by
        if entry.until is None:
            if is_own:
                return None
            window = _Window(min(found.offset + self._reach, found.end), self._reach, tick=entry.tick)
        else:
            deaths, timed = dict(entry.deaths), dict(entry.timed)
            window = _Window(min(entry.until, found.end), self._reach, deaths, tick=entry.tick, timed=timed)
            if not is_own:
                self._charge(tp, found.offset, entry, window)
        if window.until > found.offset and not is_known:
            log.warning(
                "%s: a process died without getting further in partition %d; records %d to %d are taken one at a time",
                *(self._stage, tp.partition, found.offset, window.until - 1),
            )
        return window

    def _charge(self, tp: Any, offset: int, entry: Entry, window: _Window) -> None:
        """Charge the record that was alone in flight with the death of the process, if one was."""
        if entry.source is not None:
            count = window.timed[entry.source] = window.timed.get(entry.source, 0) + 1
            where = f"record {entry.source}, whose time to be joined was over,"
        elif entry.at is not None:
            count = window.deaths[entry.at] = window.deaths.get(entry.at, 0) + 1
            where = f"a record at {tp.topic}:{tp.partition}:{offset}"
        else:
            return
        log.warning(
            "%s: the process died while %s was alone in flight; for the %s time", self._stage, where, _ordinal(count)
        )


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
