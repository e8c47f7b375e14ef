"""Queue a job for each row of a CSV file: `python enqueue.py leads.csv Leads`.

Queue a file again if you do not know whether all of it was queued: the jobs have the same keys, so
those that are done make no call.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path

from tasks import broker, write


async def main(path: Path, module: str) -> None:
    """Queue the rows; the header has the names of the fields."""
    await broker.startup()
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            await write.kiq(f"{path.stem}:{number}", module, row)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
