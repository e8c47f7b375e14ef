"""What may be sent again, when, and how often: the policy as data, the decision as one function.

The decision follows from evidence: what was proven not to have left may always be sent again; a
write that may have happened is never repeated unless its operation bears it and the policy allows.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, field, frozen

from vtiger_async.errors import (
    ConfigurationError,
    RateLimitError,
    ServerError,
    TransportError,
    VtigerError,
)
from vtiger_async.wire.operations import Repeat

__all__ = ["RetryBudget", "RetryPolicy", "Verdict", "verdict"]


@frozen
class RetryPolicy:
    """How a failed call is repeated.

    Attributes:
        max_attempts: The most requests that one call may cost, the first included; 1 never repeats.
        base: Seconds; the first back-off is drawn from 0 to this (full jitter), and it doubles.
        cap: Seconds; the longest back-off that is drawn from.
        repeat_writes: Whether `update`, `revise`, `delete` and the like are sent again when their
            reply was lost. They reach the same content twice, but the CRM's workflows may fire
            twice; so the default is to raise OutcomeUnknownError. Creates are never sent again.
        budget: Repeats allowed per call in the long run, after a reserve of ten; it keeps a failing
            server from being asked several times as often as a healthy one.
    """

    max_attempts: int = 4
    base: float = 0.5
    cap: float = 20.0
    repeat_writes: bool = False
    budget: float = 0.2

    def __attrs_post_init__(self) -> None:
        """Refuse numbers that make no policy."""
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise ConfigurationError(
                f"retry: max_attempts is a whole number from 1, not {self.max_attempts!r}"
            )
        for name in ("base", "cap", "budget"):
            value: float = getattr(self, name)
            if not value >= 0:
                raise ConfigurationError(f"retry: {name} is a number from 0, not {value!r}")

    def backoff(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after so many failures.

        Args:
            failures: Failures so far, from 1.
            chance: A random number from 0 to 1: full jitter is drawn with it.
        """
        return chance * min(self.cap, self.base * 2.0 ** (failures - 1))


class Verdict(Enum):
    """What a failure of one attempt means for the call."""

    AGAIN = "send it again"
    FINAL = "raise it"
    UNKNOWN = "it may have happened"


def verdict(error: VtigerError, repeat: Repeat, policy: RetryPolicy) -> Verdict:
    """Return what to do about the failure of one attempt.

    Args:
        error: The failure.
        repeat: Whether the operation bears repetition.
        policy: Whether the caller wants it.
    """
    if isinstance(error, RateLimitError):
        return Verdict.AGAIN
    if isinstance(error, TransportError):
        return Verdict.AGAIN if not error.sent else _ambiguous(repeat, policy)
    if isinstance(error, ServerError) and error.status is not None and error.status >= 500:
        if error.retry_after is not None:
            return Verdict.AGAIN
        # With Vtiger's JSON or without: a failure on the server's side may come after the write.
        return _ambiguous(repeat, policy)
    return Verdict.FINAL


def _ambiguous(repeat: Repeat, policy: RetryPolicy) -> Verdict:
    if repeat is Repeat.SAFE or (repeat is Repeat.PROBE and policy.repeat_writes):
        return Verdict.AGAIN
    return Verdict.UNKNOWN


@define
class RetryBudget:
    """Repeats that may still be spent; every call earns a part of one, up to a reserve of ten.

    Attributes:
        tokens: Repeats that may be spent now.
    """

    tokens: float = field(default=10.0)

    def earn(self, share: float) -> None:
        """Add the part of a repeat that one finished call earns."""
        self.tokens = min(10.0, self.tokens + share)

    def spend(self) -> bool:
        """Take one repeat; return whether there was one."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
