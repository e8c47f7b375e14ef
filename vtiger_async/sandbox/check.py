"""Where the sandbox answers otherwise than a recorded instance.

```python
report = await check(read_recording(Path("exchanges.json")))
print(report.share, report.differing)
```
"""

from __future__ import annotations

import re
from calendar import timegm
from collections import Counter
from datetime import datetime
from time import strptime
from typing import Any

import httpx
from attrs import frozen

from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.check_compare import Difference, Exchange
from vtiger_async.sandbox.check_replay import Replay
from vtiger_async.sandbox.check_world import World, prefixes_of
from vtiger_async.sandbox.clock import HeldClock
from vtiger_async.sandbox.profiles import ProfileName, profile_named
from vtiger_async.types import is_list, is_map

__all__ = ["Checked", "Report", "Share", "check"]

_NOT_OF_VTIGER = (429, 502, 503, 504)
"""Answers of the quota and of what stands in front of the CRM: another run has others."""
_ID = re.compile(r"\d+x\d+")


@frozen
class Checked:
    """One exchange that was sent again.

    Attributes:
        operation: Its operation.
        name: Its name.
        differences: Where the sandbox answers otherwise; none where it agrees.
    """

    operation: str
    name: str
    differences: tuple[Difference, ...]


@frozen
class Share:
    """How many exchanges of an operation agree.

    Attributes:
        operation: The operation; `all` for all together.
        agreed: How many agree.
        counted: How many there are.
    """

    operation: str
    agreed: int
    counted: int

    @property
    def share(self) -> float:
        """The share that agrees, from 0 to 1; 1 where there are none."""
        return self.agreed / self.counted if self.counted else 1.0


@frozen
class Report:
    """What a check found.

    Attributes:
        profile: The sandbox's profile.
        checked: The exchanges that were sent again, in their order.
        skipped: How many were not: refusals of the quota, failures of a gateway, and endpoints
            that a tenant has built.
    """

    profile: ProfileName
    checked: tuple[Checked, ...]
    skipped: int

    @property
    def differing(self) -> tuple[Checked, ...]:
        """The exchanges that the sandbox answers otherwise."""
        return tuple(item for item in self.checked if item.differences)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The shares that agree, by operation in the alphabet's order; `all` is the last."""
        counted = Counter(item.operation for item in self.checked)
        agreed = Counter(item.operation for item in self.checked if not item.differences)
        by_name = [Share(name, agreed[name], counted[name]) for name in sorted(counted)]
        return (*by_name, Share("all", agreed.total(), counted.total()))


async def check(recording: dict[str, Any], profile: str | None = None) -> Report:
    """Send the exchanges of a recording to a fresh sandbox, and compare the answers.

    Args:
        recording: What `vtiger_async.recording.read_recording` gives. It is not changed.
        profile: The sandbox's profile; None for the one that the recording seems to be of, and
            where it does not say so, `cloud`.

    Raises:
        ConfigurationError: There is no such profile.
    """
    name = profile_named(profile or recording.get("profile") or "cloud").name
    clock = HeldClock()
    with Sandbox(profile=name, records=0, limits=False, clock=clock) as sandbox:
        users, swapped = _users_of(recording, sandbox)
        exchanges: list[Exchange] = [
            _with_ids(exchange, swapped) for exchange in recording["exchanges"]
        ]
        clock.now = _start(exchanges)
        asked = [exchange for exchange in exchanges if _is_of_vtiger(exchange)]
        world = World.of(asked)
        transport = sandbox.transport()
        async with httpx.AsyncClient(transport=transport, base_url=sandbox.url) as http:
            replay = Replay(sandbox, clock, http, prefixes_of(asked), users)
            world.plant(replay, asked)
            checked = [await _checked(replay, world, exchange) for exchange in asked]
    return Report(name, tuple(checked), len(exchanges) - len(asked))


async def _checked(replay: Replay, world: World, exchange: Exchange) -> Checked:
    replay.clock.now = max(replay.clock.now, _moment(exchange.get("at")))
    world.before(replay, exchange)
    found = await replay.differences(exchange)
    return Checked(exchange["operation"], exchange["name"], tuple(found))


def _is_of_vtiger(exchange: Exchange) -> bool:
    tenant = exchange["request"]["path"].startswith("/restapi/vtap/")
    return not tenant and exchange["response"]["status"] not in _NOT_OF_VTIGER


def _users_of(recording: dict[str, Any], sandbox: Sandbox) -> tuple[dict[str, str], dict[str, str]]:
    """Return the sandbox's users by the recorded names, and which ids change places.

    An administrator, and a user of whom nothing is known, becomes `admin`; another one `sales`.
    """
    users: dict[str, str] = {}
    swapped: dict[str, str] = {}
    told = recording.get("users")
    for name, facts in told.items() if is_map(told) else ():
        own = "sales" if is_map(facts) and facts.get("admin") is False else "admin"
        users[name] = own
        theirs, ours = facts.get("id") if is_map(facts) else None, sandbox.engine.users[own].id
        if isinstance(theirs, str) and _ID.fullmatch(theirs) and ours not in swapped.values():
            ours = f"{theirs.partition('x')[0]}x{ours.partition('x')[2]}"
            swapped |= {ours: theirs, theirs: ours}
    return users, swapped


def _with_ids(value: Any, swapped: dict[str, str]) -> Any:
    """Return a value in which some ids have changed places."""
    if is_map(value):
        return {name: _with_ids(item, swapped) for name, item in value.items()}
    if is_list(value):
        return [_with_ids(item, swapped) for item in value]
    if isinstance(value, str) and len(value) < 100_000:
        return _ID.sub(lambda found: swapped.get(found[0], found[0]), value)
    return value


def _start(exchanges: list[Exchange]) -> float:
    """Return the moment at which a recording begins, as far as it tells."""
    moments = [_moment(exchange.get("at")) for exchange in exchanges]
    return min((moment for moment in moments if moment), default=_first_write(exchanges))


def _first_write(exchanges: list[Exchange]) -> float:
    for exchange in exchanges:
        result = exchange["response"]["body"]
        result = result.get("result") if is_map(result) else None
        if exchange["operation"] == "create" and is_map(result) and result.get("createdtime"):
            return float(timegm(strptime(result["createdtime"], "%Y-%m-%d %H:%M:%S")))
    return 1_800_000_000.0


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
