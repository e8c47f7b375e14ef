"""A recorder: the exchanges of a client with its instance, scrubbed, in a file.

```python
from vtiger_async.recording import Recorder

with Recorder("exchanges.json") as recorder:
    async with VtigerClient(url, username, access_key, recorder=recorder) as crm:
        await crm.describe("Contacts")
        await crm.query("SELECT * FROM Contacts LIMIT 5;").all()
```

`vtiger-async sandbox check exchanges.json` then tells where the sandbox answers otherwise.
"""

from __future__ import annotations

import base64
import importlib
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vtiger_async.clock import Clock, SystemClock
from vtiger_async.errors import ConfigurationError
from vtiger_async.recording.exchanges import Exchange, Request, Seen, exchange_of
from vtiger_async.recording.files import read_recording, write_recording
from vtiger_async.recording.knowledge import learned, module_asked
from vtiger_async.recording.scrubbing import scrubbed
from vtiger_async.types import is_map
from vtiger_async.wire.decode import Answer

__all__ = ["Recorder", "read_recording"]


class Recorder:
    """Keeps what passes between clients and their instance, and writes it scrubbed.

    Secrets (access keys, passwords, tokens, names of sessions) and the host never reach the file.
    Names, addresses, numbers of phones and all free text are replaced by pseudonyms of the same
    shape: equal words by equal ones, so that references and the literals of statements still
    match. Ids, dates, numbers, and the listed values of picklists are kept where a description of
    the module is in the recording; without one, everything but ids, dates and times is replaced.
    Calls without an answer are not recorded.

    As a context manager it writes the file when the block ends, also where it ends by an error.

    Args:
        path: The file; one that is there is replaced when the recording is written.
        clock: What tells when an answer came; real time, if not given.

    Raises:
        ConfigurationError: The folder of the file does not exist, or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        self.path = Path(path)
        folder = self.path.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK) or self.path.is_dir():
            raise ConfigurationError(f"a recording cannot be written to {self.path}")
        self._clock = clock or SystemClock()
        self._seen: list[Seen] = []
        self._secrets: set[str] = set()

    def __repr__(self) -> str:
        return f"<Recorder of {len(self._seen)} exchanges>"

    def __len__(self) -> int:
        """Return how many exchanges were recorded."""
        return len(self._seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.save()

    def observer(self, username: str, access_key: str) -> Callable[[Request, Answer], None]:
        """Return what a transport calls with each request and its answer.

        Args:
            username: Who asks.
            access_key: The user's key, which is looked for in everything that is written.
        """
        token = base64.b64encode(f"{username}:{access_key}".encode()).decode("ascii")
        self._secrets.update((access_key, token))

        def observe(request: Request, answer: Answer) -> None:
            # Everything else waits until the file is written: no call shall fail for a recording.
            self._seen.append(Seen(request, answer, username, self._clock.time()))

        return observe

    def undescribed(self) -> list[str]:
        """Return the modules that requests named with success and that no answer describes.

        Their values are scrubbed whole unless they are described: `await crm.describe(module)`.
        """
        exchanges = self._exchanges()
        described = learned(exchanges).fields
        asked = [module_asked(e) for e in exchanges if e["response"]["status"] == 200]
        return list(dict.fromkeys(m for m in asked if m and m not in described))

    def save(self) -> None:
        """Write what was recorded so far; the file is there whole, or not at all.

        Raises:
            OSError: It cannot be written.
        """
        exchanges, users = scrubbed(self._exchanges(), frozenset(self._secrets))
        recording = {
            "client": importlib.import_module("vtiger_async").__version__,
            "recorded": datetime.fromtimestamp(self._clock.time(), UTC).isoformat(
                timespec="seconds"
            ),
            "profile": _profile_of(exchanges),
            "users": users,
            "exchanges": exchanges,
        }
        write_recording(self.path, recording)

    def _exchanges(self) -> list[Exchange]:
        numbers: Counter[str] = Counter()
        exchanges = [exchange_of(seen) for seen in self._seen]
        for exchange in exchanges:
            operation = exchange["operation"]
            numbers[operation] += 1
            exchange["name"] = f"{operation}_{numbers[operation]}"
        return exchanges


def _profile_of(exchanges: list[Exchange]) -> str | None:
    """Return the sandbox's profile that fits: the Cloud calls its JSON text, the open source not.

    Source: read in public client code of the Cloud; measured on Vtiger 8.4.
    """
    for exchange in exchanges:
        response: dict[str, Any] = exchange["response"]
        kind = response["headers_of_interest"].get("Content-Type", "")
        if is_map(response["body"]) and "success" in response["body"]:
            if kind.startswith("text/json"):
                return "cloud"
            if kind.startswith("application/json"):
                return "oss-8.4"
    return None
