"""What happens at the door, as values: for logging and metrics that want to listen.

```python
stop = crm.subscribe(lambda event: print(event))
```

Nothing here is loaded or made while nobody listens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from attrs import frozen

__all__ = ["Granted", "QuotaEvent", "Recycled", "Refused", "Throttled", "Waited", "tell"]

_log = logging.getLogger("vtiger_async")


@frozen
class Granted:
    """A call may go.

    Attributes:
        at: When (aware UTC).
        priority: Its class.
        in_flight: Calls under way, this one included.
    """

    at: datetime
    priority: str
    in_flight: int


@frozen
class Waited:
    """A call that had to wait waits no more.

    Attributes:
        at: When (aware UTC).
        priority: Its class.
        seconds: How long it has waited.
        granted: Whether it may go; else it was refused or cancelled.
    """

    at: datetime
    priority: str
    seconds: float
    granted: bool


@frozen
class Refused:
    """A call was refused here: it could not go before its deadline, and was not sent.

    Attributes:
        at: When (aware UTC).
        priority: Its class.
        window: The window that binds: `"minute"`, `"hour"`, `"day"`, or `"in_flight"`.
        wait: Seconds that it would have needed.
    """

    at: datetime
    priority: str
    window: str
    wait: float


@frozen
class Throttled:
    """The server has refused a call with HTTP 429.

    Attributes:
        at: When (aware UTC).
        wait: Seconds that every call waits for it.
    """

    at: datetime
    wait: float


@frozen
class Recycled:
    """The pool of connections had lost a slot, and was replaced.

    Attributes:
        at: When (aware UTC).
    """

    at: datetime


QuotaEvent: TypeAlias = Granted | Waited | Refused | Throttled | Recycled
"""Any of the events."""

_KINDS: dict[str, Callable[..., QuotaEvent]] = {
    kind.__name__: kind for kind in (Granted, Waited, Refused, Throttled, Recycled)
}


def tell(
    listeners: Iterable[Callable[[Any], object]],
    kind: str,
    at: datetime,
    values: Mapping[str, Any],
) -> None:
    """Make an event and hand it to the listeners; one that fails is logged, and ends nothing.

    Args:
        listeners: Who is told.
        kind: The name of the event's class.
        at: When it happened.
        values: Its other attributes.
    """
    event = _KINDS[kind](at=at, **values)
    for listener in listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - whatever it is, the call must go on
            _log.exception("a listener of the quota's events failed")
