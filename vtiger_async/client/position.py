"""Where the reading of a statement stands, and the text that it can be resumed from. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import Any, cast

from attrs import define, field

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql import Select

__all__ = ["Position"]


@define
class Position:
    """Where the reading of a statement stands; all that is needed to go on with it.

    Attributes:
        piece: The statement among those that the user's was cut into.
        after: The last id read by keyset.
        offset: Rows read by offset, where an order other than by id is asked for.
        anchor: The id of the last row read by offset.
        total: Records in all, where rows are read from the end; -1 where the server cannot count.
        phase: `"pages"`, `"sweep"` (looking for what moved meanwhile), or `"end"`.
        shifted: Whether rows were seen to move between two pages.
        started: When the reading began, in Unix seconds.
        given: Records given so far.
        dropped: Records left out at the start, where the server cannot count the offset.
        seen: The numbers of the records given and left out, where repeats can come.
    """

    piece: int = 0
    after: str | None = None
    offset: int = 0
    anchor: str | None = None
    total: int | None = None
    phase: str = "pages"
    shifted: bool = False
    started: float = 0.0
    given: int = 0
    dropped: int = 0
    seen: set[int] = field(factory=set[int], repr=False)

    def token(self, statement: Select) -> str:
        """Return the position as text that `of_token` reads back."""
        state = [
            fingerprint(statement), self.piece, self.after, self.offset, self.anchor,
            self.total, self.phase, self.shifted, self.started, self.given, self.dropped,
            _steps(self.seen),
        ]  # fmt: skip
        text = json.dumps(state, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode("ascii").rstrip("=")

    @classmethod
    def of_token(cls, token: str, statement: Select) -> Position:
        """Return the position that a token holds.

        Raises:
            InvalidArgumentError: It is no token, or one of another statement.
        """
        try:
            text = zlib.decompress(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            mark, *state = json.loads(text)
            state[-1] = _unstep(state[-1])
            position = cls(*state)
        except (ValueError, TypeError, zlib.error, binascii.Error):
            raise InvalidArgumentError(
                "resume: this is not a resume token", operation="query"
            ) from None
        if mark != fingerprint(statement):
            raise InvalidArgumentError(
                "resume: this token belongs to another statement", operation="query"
            )
        return position


def fingerprint(statement: Select) -> str:
    """Return a short mark of a statement, to tell it from others."""
    return hashlib.blake2b(str(statement).encode(), digest_size=6).hexdigest()


def _steps(numbers: set[int]) -> list[int]:
    """Return sorted numbers as differences: small ones, which compress well."""
    steps: list[int] = []
    last = 0
    for number in sorted(numbers):
        steps.append(number - last)
        last = number
    return steps


def _unstep(steps: Any) -> set[int]:
    numbers: set[int] = set()
    last = 0
    for step in cast("list[int]", steps):
        last += step
        numbers.add(last)
    return numbers
