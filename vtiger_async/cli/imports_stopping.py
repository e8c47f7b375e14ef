"""Ctrl-C while a bulk job runs: once ends it in good order, twice at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.abc import TaskStatus

__all__ = ["attended"]

T = TypeVar("T")


async def attended(
    work: Callable[[], Awaitable[T]],
    interrupted: Callable[[], object],
    look: Callable[[], object],
    interval: float,
) -> T:
    """Do some work; look at it again and again meanwhile, and tell when it is interrupted.

    Args:
        work: What is to be done.
        interrupted: Is called at the first SIGINT or SIGTERM.
        look: Is called after each interval.
        interval: Seconds.

    Raises:
        KeyboardInterrupt: At the second signal.
    """
    error: Exception | None = None
    results: list[T] = []
    async with anyio.create_task_group() as group:
        await group.start(_listen, interrupted)
        group.start_soon(_look, look, interval)
        try:
            results.append(await work())
        except Exception as raised:  # noqa: BLE001 - raised below, without the group around it
            error = raised
        group.cancel_scope.cancel()
    if error is not None:
        raise error
    return results[0]


async def _listen(interrupted: Callable[[], object], *, task_status: TaskStatus[None]) -> None:
    try:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            first = True
            async for _ in signals:
                if not first:
                    # Of the event loop, not of this task: nothing under way is waited for. The
                    # command line runs on asyncio, as anyio does where nobody chooses.
                    asyncio.get_running_loop().call_soon(_end_the_loop)
                    return
                first = False
                interrupted()
    except NotImplementedError:  # Windows: there Ctrl-C is a KeyboardInterrupt at once
        task_status.started()


def _end_the_loop() -> None:
    raise KeyboardInterrupt


async def _look(look: Callable[[], object], interval: float) -> None:
    while True:
        await anyio.sleep(interval)
        look()
