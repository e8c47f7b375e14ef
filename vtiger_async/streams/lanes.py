"""What of a module was given and what is acknowledged: pure, without calls and without a clock."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from itertools import count

from attrs import define, field

from vtiger_async.streams.crm import Change
from vtiger_async.types import RecordId

__all__ = ["Entry", "Lane"]


@define(eq=False)
class Entry:
    """A change that was taken from a page, until it and all before it are acknowledged.

    Attributes:
        change: The change.
        attempt: How often it was given.
        is_done: Whether it is acknowledged.
    """

    change: Change
    attempt: int = 0
    is_done: bool = False


@define(eq=False)
class Lane:
    """The changes of one module between the server and the position that is stored.

    The position moves over changes that are acknowledged without a gap. A change of a record is
    not given while an earlier one of it is not acknowledged, so states cannot overtake each other.

    Attributes:
        most: The most changes beyond the position, so the most that are held and that are given
            again after a crash.
        position: The position after the last change up to which all are acknowledged.
    """

    most: int
    position: str
    _page: deque[Change] = field(factory=deque[Change], init=False)
    _page_end: str = field(default="", init=False)
    _entries: deque[Entry] = field(factory=deque[Entry], init=False)
    # A record is here while a change of it is out; behind it stand those that wait for that.
    _behind: dict[RecordId, deque[Entry]] = field(
        factory=dict[RecordId, "deque[Entry]"], init=False
    )
    _released: deque[Entry] = field(factory=deque[Entry], init=False)
    _again: list[tuple[float, int, Entry]] = field(
        factory=list["tuple[float, int, Entry]"], init=False
    )
    _out: int = field(default=0, init=False)
    _order: count[int] = field(factory=count, init=False)

    @property
    def unacknowledged(self) -> int:
        """How many changes stand beyond the position, those of the page not counted."""
        return len(self._entries)

    @property
    def is_out(self) -> bool:
        """Whether a change is in somebody's hands."""
        return self._out > 0

    @property
    def is_full(self) -> bool:
        """Whether nothing can be taken before something is acknowledged."""
        return len(self._entries) >= self.most

    @property
    def wants_page(self) -> bool:
        """Whether the page is read, and there is room for another."""
        return not self._page and not self.is_full

    @property
    def next_again(self) -> float | None:
        """When the first change that was put back may be given again (Unix seconds)."""
        return self._again[0][0] if self._again else None

    @property
    def will_give(self) -> bool:
        """Whether changes are left that can be given without another page.

        What was left for the next start cannot, nor what waits behind it.
        """
        if self._released or self._again or (self._page and not self.is_full):
            return True
        return bool(self._out and (self._page or any(self._behind.values())))

    def is_first(self, entry: Entry) -> bool:
        """Tell whether all before it are acknowledged."""
        return bool(self._entries) and self._entries[0] is entry

    def cursor_after(self, entry: Entry) -> str:
        """Return the position after a change, if all before it are acknowledged."""
        is_last = not self._page and len(self._entries) == 1
        return self._page_end if is_last else entry.change.cursor

    def lay(self, changes: Sequence[Change], end: str) -> bool:
        """Take the next page; return whether the position has moved over it.

        Args:
            changes: Its changes.
            end: The position after them.
        """
        self._page.extend(changes)
        self._page_end = end
        return self._advance(0)

    def take(self, now: float) -> Entry | None:
        """Return the change that is given next, None where none can be."""
        entry = self._next(now)
        if entry is not None:
            entry.attempt += 1
            self._out += 1
        return entry

    def _next(self, now: float) -> Entry | None:
        if self._again and self._again[0][0] <= now:
            return heapq.heappop(self._again)[2]
        if self._released:
            return self._released.popleft()
        while self._page and not self.is_full:
            entry = Entry(self._page.popleft())
            self._entries.append(entry)
            waiting = self._behind.get(entry.change.id)
            if waiting is None:
                self._behind[entry.change.id] = deque()
                return entry
            waiting.append(entry)
        return None

    def settle(self, entry: Entry) -> bool:
        """Acknowledge a change that is out; return whether the position has moved."""
        entry.is_done = True
        self._out -= 1
        waiting = self._behind[entry.change.id]
        if waiting:
            self._released.append(waiting.popleft())
        else:
            del self._behind[entry.change.id]
        done = 0
        while done < len(self._entries) and self._entries[done].is_done:
            done += 1
        return self._advance(done)

    def put_back(self, entry: Entry, at: float) -> None:
        """Have a change that is out given again, not before a moment (Unix seconds)."""
        self._out -= 1
        heapq.heappush(self._again, (at, next(self._order), entry))

    def leave(self, entry: Entry) -> None:
        """Let a change that is out be given at the next start, and not before."""
        self._out -= 1

    def _advance(self, done: int) -> bool:
        """Let the position pass so many entries, and an empty page; return whether it moved."""
        last = [self._entries.popleft() for _ in range(done)][-1:]
        before = self.position
        if not self._entries and not self._page:
            self.position = self._page_end
        elif last:
            self.position = last[0].change.cursor
        return self.position != before
