"""The policy of retries: what a failure proves, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async import errors
from vtiger_async.retry import RetryBudget, RetryPolicy, Verdict, verdict
from vtiger_async.wire.operations import Repeat

READ, PROBE, NEVER = Repeat.SAFE, Repeat.PROBE, Repeat.NEVER
AGAIN, FINAL, UNKNOWN = Verdict.AGAIN, Verdict.FINAL, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("error", "read", "probe", "create"),
    [
        (errors.ConnectError("refused"), AGAIN, AGAIN, AGAIN),
        (errors.RateLimitError("429", status=429), AGAIN, AGAIN, AGAIN),
        (errors.ServerError("busy", status=503, retry_after=5.0), AGAIN, AGAIN, AGAIN),
        (errors.ServerError("", status=503), AGAIN, UNKNOWN, UNKNOWN),
        (errors.ServerError("", status=500), AGAIN, UNKNOWN, UNKNOWN),
        (errors.ServerError("", status=500, code="DATABASE_QUERY_ERROR"), AGAIN, UNKNOWN, UNKNOWN),
        (errors.RequestTimeoutError("slow"), AGAIN, UNKNOWN, UNKNOWN),
        (errors.TransportError("reset"), AGAIN, UNKNOWN, UNKNOWN),
        (errors.InvalidResponseError("cut"), AGAIN, UNKNOWN, UNKNOWN),
        (errors.ServerError("", status=400, code="INTERNAL_SERVER_ERROR"), FINAL, FINAL, FINAL),
        (errors.AccessDeniedError("no", status=400), FINAL, FINAL, FINAL),
        (errors.AuthenticationError("no", status=401), FINAL, FINAL, FINAL),
        (errors.DuplicateRecordError("", code=0, status=400), FINAL, FINAL, FINAL),
        (errors.QuotaExhaustedError("later"), FINAL, FINAL, FINAL),
    ],
)
def test_each_failure_means_what_it_proves(
    error: errors.VtigerError, read: Verdict, probe: Verdict, create: Verdict
) -> None:
    """A read is repeated; a write only where it is proven that it did not happen."""
    policy = RetryPolicy()
    assert [verdict(error, repeat, policy) for repeat in (READ, PROBE, NEVER)] == [
        read,
        probe,
        create,
    ]


def test_repeating_writes_is_a_switch_that_never_repeats_a_create() -> None:
    """With repeat_writes, a change whose reply was lost is sent again, a create is not."""
    policy = RetryPolicy(repeat_writes=True)
    lost = errors.RequestTimeoutError("slow")
    assert verdict(lost, PROBE, policy) is AGAIN
    assert verdict(lost, NEVER, policy) is UNKNOWN


@given(st.integers(1, 60), st.floats(0, 1))
def test_back_off_is_full_jitter_under_a_doubling_cap(failures: int, chance: float) -> None:
    """A back-off lies between 0 and base, doubling per failure, and never above the cap."""
    policy = RetryPolicy(base=0.5, cap=20.0)
    ceiling = min(20.0, 0.5 * 2.0 ** (failures - 1))
    assert policy.backoff(failures, chance) == pytest.approx(chance * ceiling)


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_attempts": 0},
        {"max_attempts": 2.5},
        {"base": -1.0},
        {"cap": float("nan")},
        {"budget": -0.1},
    ],
)
def test_numbers_that_make_no_policy_are_refused(arguments: dict[str, Any]) -> None:
    """A policy without attempts, or with negative times, is a configuration error."""
    with pytest.raises(errors.ConfigurationError, match="retry: "):
        RetryPolicy(**arguments)


def test_the_budget_allows_ten_repeats_and_then_what_is_earned() -> None:
    """A failing server is asked ten times more at once, later only for what calls have earned."""
    budget = RetryBudget()
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(5):
        budget.earn(0.2)
    assert budget.spend()
    assert not budget.spend()
