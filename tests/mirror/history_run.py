"""The process that is killed: it mirrors modules over real HTTP. See test_mirror_kills.py.

Run it as `python history_run.py URL USER ACCESS_KEY SINK FACTOR EPOCH KILL MODULE...`. It prints
`go` when it begins, and at the end whether all modules are at the head, and which are not. KILL is
`-`, or `12:0.001`: before the 12th step of its sink, or so many seconds behind that, it kills
itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from random import randrange
from typing import Any

import anyio
from statements import telling

from vtiger_async import VtigerClient
from vtiger_async.clock import ScaledClock


class Killing:
    """Kills the process at a step of its sink.

    Args:
        kill: When, as the program's argument says it.
    """

    def __init__(self, kill: str) -> None:
        step, _, seconds = kill.partition(":")
        self._left = -1 if kill == "-" else int(step)
        self._seconds = float(seconds or 0)

    def told(self, by: Any) -> None:
        """Count a step; if its time has come, a kill is on its way while the step is taken."""
        self._left -= 1
        if self._left == 0 and self._seconds:
            threading.Timer(self._seconds, self._kill, (by,)).start()
        elif self._left == 0:
            self._kill(by)

    def _kill(self, by: Any) -> None:
        if isinstance(by, int):
            # What was written to a file and not flushed: a kill can cut it off in the midst.
            with suppress(OSError):
                os.ftruncate(by, max(0, os.fstat(by).st_size - randrange(40)))
        os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, user: str, key: str, to: str, time: list[str], modules: list[str]) -> None:
    """Bring the mirror to the head, once."""
    factor, epoch = map(float, time)
    clock = ScaledClock(factor, epoch=epoch)
    async with VtigerClient(url, user, key, clock=clock) as crm:
        sys.stdout.write("go\n")
        sys.stdout.flush()
        report = await crm.mirror(modules, to)
    sys.stdout.write(f"{report.is_whole} {dict(report.failed)}\n")


if __name__ == "__main__":
    url, user, key, to, *time, kill = sys.argv[1:8]
    with telling(Killing(kill).told, lambda path: not path.endswith(".lock")):
        anyio.run(main, url, user, key, to, time, sys.argv[8:])
