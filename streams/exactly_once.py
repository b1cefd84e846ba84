"""Delivery exactly once, for readers that read committed: results and offsets in one transaction of their partition.

A flight is delivered, or a commit made, one after the other. So a commit never finds a flight half delivered, and what
a transaction holds is what its offsets stand for; a transaction may hold several flights. What overlaps is the work
before: while one flight is being delivered, the steps of the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from headrace.core.wire.errors import ResultRefusedError
from headrace.streams.commit import Committer
from headrace.streams.delivery import ReadAgainError, no_marks
from headrace.streams.flight import Flight
from headrace.streams.outbox import heard
from headrace.streams.outcome import Outcome
from headrace.streams.postbag import Post, Postbag
from headrace.streams.sender import refusal
from headrace.streams.transactions import TRANSACTION_S, Offset, Transactions

__all__ = ["ExactlyOnce"]


class ExactlyOnce:
    """A `Delivery`.

    From the first error until `renew` nothing is sent or committed: a transaction that lacks a message must never be
    committed, and those of other partitions that are whole are not worth the risk.

    Args:
        transactions: those of the partitions that are read.
        postbag: makes the messages of a batch.
        assigned: returns the partitions that are still ours.
        every_ms: least milliseconds between two commits under load.
        on_commit: told the offsets that are committed.
        words: returns the metadata that goes with a partition's offset.
        mark: writes what the journal says of partitions.
    """

    def __init__(
        self,
        transactions: Transactions,
        postbag: Postbag,
        *,
        assigned: Callable[[], frozenset[Any] | set[Any]],
        every_ms: float,
        on_commit: Callable[[Mapping[Any, int]], None],
        words: Callable[[Any, int], str] = lambda tp, offset: "",
        mark: Callable[[Iterable[Any]], Awaitable[None]] = no_marks,
    ) -> None:
        self._words, self._mark = words, mark
        self._transactions, self._postbag, self._on_commit = transactions, postbag, on_commit
        self._committer = Committer(self._commit, assigned, every_ms)
        self._turn = asyncio.Lock()
        self._is_broken = True

    async def start(self) -> None:
        """Nothing to do: there are no producers before there are partitions."""

    async def renew(self, partitions: Iterable[Any]) -> None:
        """Abort whatever is open on these partitions, here or at an earlier owner's, and shut that one out.

        Raises:
            KafkaError: the broker does not answer.
        """
        async with self._turn:
            self._is_broken = True
            self._committer.forget()
            await self._transactions.renew(partitions)
            self._is_broken = False

    async def deliver(self, outcome: Outcome, flight: Flight, previous: Flight | None) -> None:
        """Send a flight's messages in the transactions of their partitions, and note its offsets for the commit.

        Raises:
            ReadAgainError: the broker refused a message; when it is read again it becomes a dead letter.
            KafkaError: something was not acknowledged, here or before.
        """
        posts = await self._postbag.posts(outcome)  # may read originals: before the transaction, which is not to wait
        if previous is not None:
            await previous.landed()
        async with self._whole():
            await self._send(posts)
            flight.sent.set()
            self._committer.note(flight.offsets)
            if self._committer.due_s == 0:  # not left to the loop, which may be waiting for messages for 20 ms
                await self._committer.commit()

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets up to which everything is in a transaction."""
        self._committer.note(offsets)

    @property
    def due_s(self) -> float | None:
        """In how many seconds a commit is due; None while there is nothing to commit, or nothing may be."""
        return None if self._is_broken else self._committer.due_s

    @property
    def commits(self) -> int:
        """How many commits have succeeded."""
        return self._committer.count

    async def commit(self) -> None:
        """Commit the transactions of all partitions that have something to commit.

        Raises:
            KafkaError: one of them failed.
        """
        if self._is_broken:
            return
        async with self._whole():
            await self._committer.commit()

    async def mark(self, partitions: Iterable[Any]) -> None:
        """Write what the journal says of these partitions, with the offsets that are committed.

        By the member of the group, not in a transaction: of the two the broker keeps the later one, and one of a member
        that has lost the partition it refuses. After an error nothing is written: what is committed is not known then.

        Raises:
            KafkaError: it could not be written.
        """
        async with self._whole(), _in_time():
            await self._mark(partitions)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._transactions.close()

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        async with self._turn:
            if self._is_broken:
                raise KafkaError("an earlier error has broken the transaction")
            try:
                yield
            except BaseException:
                self._is_broken = True
                raise

    async def _commit(self, offsets: Mapping[Any, int]) -> None:
        await self._transactions.commit(self._worded(offsets))
        self._on_commit(offsets)
        self._postbag.forget(offsets)

    def _worded(self, offsets: Mapping[Any, int]) -> dict[Any, Offset]:
        return {tp: (offset, self._words(tp, offset)) for tp, offset in offsets.items()}

    async def _send(self, posts: Sequence[Post]) -> None:
        """Send, and wait until everything is acknowledged."""
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(TRANSACTION_S):
                for tp, some in groupby(posts, attrgetter("tp")):
                    await self._hand_over(tp, [*some], sent)
                if sent:
                    await asyncio.wait(set(sent))
        except BaseException as error:
            for future in sent:
                future.add_done_callback(heard)
            if isinstance(error, TimeoutError):
                raise KafkaTimeoutError(f"a batch was not acknowledged within {TRANSACTION_S:g} s") from None
            raise
        self._judge([(post, failed) for post, it in zip(posts, sent, strict=True) if (failed := it.exception())])

    async def _hand_over(self, tp: Any, posts: Sequence[Post], sent: list[asyncio.Future[Any]]) -> None:
        """Send in the transaction of a partition; `sent` gets each acknowledgement at once: an error must find it."""
        is_usual = not any(post.alone or post.compress for post in posts)
        messages, at = [post.message for post in posts], 0
        while at < len(posts):
            added = self._transactions.add(tp, messages, at) if is_usual else []
            sent += added
            at += len(added)
            if at < len(posts):
                sent.append(await self._sent(posts[at]))
                at += 1

    async def _sent(self, post: Post) -> asyncio.Future[Any]:
        try:
            return await self._transactions.send(post.tp, post.message, alone=post.alone, compress=post.compress)
        except (
            ResultRefusedError,
            MessageSizeTooLargeError,
        ) as error:  # before anything was sent: the others of the batch are not to fail with it
            refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def _judge(self, failed: Sequence[tuple[Post, BaseException]]) -> None:
        """Raise what a send failed with; what was the message's fault is remembered first."""
        refused = [(post, why) for post, error in failed if post.owed and (why := refusal(error)) is not None]
        for post, why in refused:
            self._postbag.refuse(post, why)
        if refused:
            raise ReadAgainError(f"{len(refused)} messages were refused; the first: {refused[0][1]}")
        if failed:
            raise failed[0][1]


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TRANSACTION_S):
            yield
    except TimeoutError:
        raise KafkaTimeoutError(f"the journal was not written within {TRANSACTION_S:g} s") from None
