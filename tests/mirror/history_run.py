"""The process that is killed: it mirrors modules over real HTTP. See test_mirror_histories.py.

Run it as `python history_run.py URL USER ACCESS_KEY SINK FACTOR EPOCH MODULE...`. It prints `go`
when it begins, and at the end whether all modules are at the head, and which are not.
"""

from __future__ import annotations

import sys

import anyio

from vtiger_async import VtigerClient
from vtiger_async.clock import ScaledClock


async def main(
    url: str, user: str, key: str, to: str, factor: str, epoch: str, modules: list[str]
) -> None:
    """Bring the mirror to the head, once."""
    clock = ScaledClock(float(factor), epoch=float(epoch))
    async with VtigerClient(url, user, key, clock=clock) as crm:
        sys.stdout.write("go\n")
        sys.stdout.flush()
        report = await crm.mirror(modules, to)
    sys.stdout.write(f"{report.is_whole} {dict(report.failed)}\n")


if __name__ == "__main__":
    url, user, key, to, factor, epoch, *modules = sys.argv[1:]
    anyio.run(main, url, user, key, to, factor, epoch, modules)
