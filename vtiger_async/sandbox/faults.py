"""Faults on order: everything that goes wrong between a client and a real Vtiger, when asked for.

| kind | the operation | what the client sees |
| --- | --- | --- |
| `latency` | is executed, late | the reply `seconds` later; adds up with one other fault |
| `429` | is not executed | 429, whatever the quota says; `retry_after` where given |
| `500` | only with `commit` | 500 with Vtiger's JSON |
| `502`, `503`, `504` | only with `commit` | a proxy's HTML page without quota headers |
| `html` | only with `commit` | an HTML page, with 200 or another `status` |
| `empty` | unless `commit=False` | no body, with 500 (a PHP fatal error) or another `status` |
| `php_warnings` | is executed | the reply behind PHP's warnings |
| `cut` | is executed | half of the body, then the connection closes |
| `slow_drip` | is executed | the body in small pieces over `seconds` |
| `refuse` | is not executed | a refused connection (in process only: HTTP has no such reply) |
| `reset_before_commit` | is not executed | a reset connection |
| `reset_after_commit` | is executed | a reset connection |
| `commit_then_drop` | is executed | a connection closed without a reply |
| `no_answer` | only with `commit` | nothing, until it gives up |

Source of the kinds: bodies and failures met on Vtiger 8.4 and described in public client code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Literal

from attrs import asdict, define, evolve

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.sandbox.replies import DroppedConnection, Reply, failure, page

__all__ = ["KINDS", "FaultKind", "FaultRule", "Faults", "NoAnswer", "play"]

FaultKind = Literal[
    "latency",
    "429",
    "500",
    "502",
    "503",
    "504",
    "html",
    "empty",
    "php_warnings",
    "cut",
    "slow_drip",
    "refuse",
    "reset_before_commit",
    "reset_after_commit",
    "commit_then_drop",
    "no_answer",
]
"""What can go wrong, as the table above has it."""

KINDS: dict[FaultKind, dict[str, Any]] = {
    "latency": {"seconds": 1.0},
    "429": {"retry_after": None},
    "500": {"commit": False},
    "502": {"commit": False},
    "503": {"commit": False, "retry_after": None},
    "504": {"commit": False},
    "html": {"commit": False, "status": 200},
    "empty": {"commit": True, "status": 500},
    "php_warnings": {"commit": True},
    "cut": {"commit": True},
    "slow_drip": {"commit": True, "seconds": 10.0},
    "refuse": {},
    "reset_before_commit": {},
    "reset_after_commit": {"commit": True},
    "commit_then_drop": {"commit": True},
    "no_answer": {"commit": False},
}
"""Each kind of fault, and the options that it takes with their defaults."""

_RANGES: dict[str, tuple[tuple[type[Any], ...], float, float]] = {
    "times": ((int,), 1, math.inf),
    "after": ((int,), 0, math.inf),
    "probability": ((int, float), 0, 1),
    "seconds": ((int, float), 0, math.inf),
    "status": ((int,), 200, 599),
    "commit": ((bool,), 0, 1),
    "retry_after": ((int, float), 0, math.inf),
}
_ALWAYS_COMMIT = frozenset(
    {"php_warnings", "cut", "slow_drip", "reset_after_commit", "commit_then_drop"}
)
_PROXY_TITLES = {
    "502": "502 Bad Gateway",
    "503": "503 Service Unavailable",
    "504": "504 Gateway Time-out",
}
_PHP_WARNINGS = (
    b"<br />\n<b>Warning</b>:  Undefined array key &quot;source&quot; in "
    b"<b>/var/www/html/include/Webservices/Utils.php</b> on line <b>214</b><br />\n"
    b"<br />\n<b>Deprecated</b>:  trim(): Passing null to parameter #1 ($string) of type string is "
    b"deprecated in <b>/var/www/html/data/CRMEntity.php</b> on line <b>96</b><br />\n"
)


class NoAnswer(Exception):  # noqa: N818 - an order to the app, not an error of it
    """The order to keep the connection open and say nothing."""


@define
class FaultRule:
    """One fault on order.

    Attributes:
        number: Its number, for `Faults.remove`.
        kind: What goes wrong.
        operation: The operation that it strikes; None for every one.
        times: How often it strikes; None for always.
        after: How many matching calls it lets pass first.
        probability: The share of the matching calls that it strikes, from 0 to 1.
        seconds: How long a `latency` or a `slow_drip` takes.
        status: The HTTP status of an `html` or `empty` reply.
        commit: Whether the operation is executed all the same.
        retry_after: The seconds in the Retry-After of a `429` or `503`; None for no such header.
        seen: How many matching calls have come by.
        fired: How often it has struck.
    """

    number: int
    kind: FaultKind
    operation: str | None = None
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 0
    commit: bool = False
    retry_after: float | None = None
    seen: int = 0
    fired: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON has it."""
        return asdict(self)


class Faults:
    """The faults on order of one sandbox.

    Args:
        seed: What the draws of `probability` start from.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.rules: list[FaultRule] = []
        self.clear()

    def add(
        self,
        kind: FaultKind,
        *,
        operation: str | None = None,
        times: int | None = None,
        after: int = 0,
        probability: float = 1.0,
        seconds: float | None = None,
        status: int | None = None,
        commit: bool | None = None,
        retry_after: float | None = None,
    ) -> FaultRule:
        """Order a fault, and return its rule; see FaultRule for the arguments.

        The last four are for some kinds only, and have the defaults of `KINDS`. A call of a route
        registered by `Sandbox.route` is the operation `vtap/` and its path.

        Raises:
            InvalidArgumentError: There is no such kind, it has no such option, or a value is out
                of range.
        """
        if kind not in KINDS:
            raise InvalidArgumentError(f"no fault {kind!r}; known are {', '.join(KINDS)}")
        options: dict[str, Any] = {
            name: value
            for name, value in (
                ("seconds", seconds),
                ("status", status),
                ("commit", commit),
                ("retry_after", retry_after),
            )
            if value is not None
        }
        _check_names(kind, options)
        for name, value in (
            ("times", 1 if times is None else times),
            ("after", after),
            ("probability", probability),
        ):
            _check_value(name, value)
        for name, value in options.items():
            _check_value(name, value)
        self._number += 1
        rule = FaultRule(
            number=self._number,
            kind=kind,
            operation=None if operation is None else str(operation).lower(),
            times=times,
            after=after,
            probability=probability,
            **{**KINDS[kind], **options},
        )
        self.rules.append(rule)
        return rule

    def remove(self, number: int) -> bool:
        """Take a fault off the order; return whether there was one of that number."""
        left = [rule for rule in self.rules if rule.number != number]
        found = len(left) < len(self.rules)
        self.rules = left
        return found

    def clear(self) -> None:
        """Take every fault off the order, and start the draws afresh."""
        self.rules = []
        self._number = 0
        self._random = Random(self._seed)  # noqa: S311 - a simulation

    def take_refusal(self, operation: str) -> bool:
        """Return whether the connection of this call is refused."""
        return any(rule.kind == "refuse" and self._strikes(rule, operation) for rule in self.rules)

    def take(self, operation: str) -> tuple[float, FaultRule | None]:
        """Return what strikes this call: the latencies together, and the first other fault."""
        delay, found = 0.0, None
        for rule in self.rules:
            if rule.kind == "refuse" or (found is not None and rule.kind != "latency"):
                continue
            if self._strikes(rule, operation):
                if rule.kind == "latency":
                    delay += rule.seconds
                else:
                    found = rule
        return delay, found

    def _strikes(self, rule: FaultRule, operation: str) -> bool:
        if rule.operation is not None and rule.operation != operation.lower():
            return False
        if rule.times is not None and rule.fired >= rule.times:
            return False
        rule.seen += 1
        if rule.seen <= rule.after:
            return False
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        rule.fired += 1
        return True


def _check_names(kind: FaultKind, options: Iterable[str]) -> None:
    """Refuse an option that would do nothing."""
    allowed = set(KINDS[kind]) - ({"commit"} if kind in _ALWAYS_COMMIT else set[str]())
    if unknown := sorted(set(options) - allowed):
        raise InvalidArgumentError(f"the fault {kind!r} takes no {', '.join(unknown)}")


def _check_value(name: str, value: Any) -> None:
    """Refuse what would never strike, or fail only when it does."""
    kinds, low, high = _RANGES[name]
    if type(value) not in kinds:
        raise InvalidArgumentError(f"{name} is no {type(value).__name__}: {value!r}")
    if not low <= value <= high:
        raise InvalidArgumentError(f"{name} is from {low:g} to {high:g}, not {value!r}")


def play(rule: FaultRule, perform: Callable[[], Reply]) -> Reply:
    """Return the reply that a fault leaves of the true one.

    Args:
        rule: The fault.
        perform: Executes the operation, and returns the true reply.

    Raises:
        DroppedConnection: The connection ends without a reply.
        NoAnswer: The client is left waiting.
    """
    truth = perform() if rule.commit else None
    kind = rule.kind
    if kind == "429":
        return failure("TOO_MANY_REQUESTS", "API request limit exceeded", 429, _retry_after(rule))
    if kind == "500":
        return failure("INTERNAL_SERVER_ERROR", "Unknown Error while processing request", 500)
    if kind in _PROXY_TITLES:
        proxied = page(int(kind), _PROXY_TITLES[kind], counted=False)
        return evolve(proxied, headers=_retry_after(rule))
    if kind == "html":
        return page(rule.status, "We will be back soon")
    if kind == "empty":
        return Reply(rule.status, b"", content_type=b"text/html; charset=UTF-8")
    if kind == "no_answer":
        raise NoAnswer
    if truth is None or kind in ("reset_after_commit", "commit_then_drop"):
        raise DroppedConnection(reset=kind != "commit_then_drop")
    if kind == "php_warnings":
        return evolve(truth, body=_PHP_WARNINGS + truth.body)
    return evolve(truth, cut=kind == "cut", drip=rule.seconds)


def _retry_after(rule: FaultRule) -> tuple[tuple[bytes, bytes], ...]:
    if rule.retry_after is None:
        return ()
    return ((b"retry-after", b"%d" % math.ceil(rule.retry_after)),)
