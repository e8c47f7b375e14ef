"""What a client shows of its quota, and jobs of all kinds count on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from attrs import field, frozen

from vtiger_async.editions import Limits
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.quota import Ledger, WindowUse

if TYPE_CHECKING:
    from vtiger_async.quota.plan import Plan

__all__ = ["Quota"]


@frozen
class Quota:
    """The quota at one moment, as this client knows it; asking costs no call.

    Attributes:
        minute: The minute's window.
        hour: The hour's window; no header shows it.
        day: The day's window.
        in_flight: Calls under way.
        waiting: Calls that wait for a slot or for quota.
        at: When the snapshot was taken (aware UTC).
        others_per_minute: The calls a minute of other programs on the instance, as far as the fall
            of the headers' Remaining has shown them.
    """

    minute: WindowUse
    hour: WindowUse
    day: WindowUse
    in_flight: int
    waiting: int
    at: datetime
    others_per_minute: float = 0.0
    _ledger: Ledger | None = field(default=None, repr=False, eq=False)

    def plan(self, calls: int) -> Plan:
        """Return how long so many calls take, which window binds when, and what of the day goes.

        It counts on what other programs and interactive callers have wanted so far. It costs no
        call. What leaves the windows is looked up now, so plan soon after the snapshot.

        Args:
            calls: How many calls the job makes, from 0.

        Raises:
            InvalidArgumentError: It is no such number.
        """
        from vtiger_async.quota.plan import plan  # seldom asked for

        if type(calls) is not int or calls < 0:
            raise InvalidArgumentError(f"calls is a whole number from 0, not {calls!r}")
        ledger = Ledger(Limits()) if self._ledger is None else self._ledger
        return plan(ledger.pacer, self.at.timestamp(), self.in_flight, calls)
