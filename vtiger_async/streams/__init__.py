"""Streams: the changes of modules, given at least once and acknowledged.

```python
async for change in crm.changes(["Contacts", "Accounts"], store="changes.db"):
    async with change.ack():
        await handle(change)
```
"""

from __future__ import annotations

from vtiger_async.streams.changes import Changes
from vtiger_async.streams.cursors import CursorStore, MemoryCursors
from vtiger_async.streams.delivery import Delivery
from vtiger_async.streams.errors import CursorStoreError, StreamError
from vtiger_async.streams.keeping import ModuleProgress
from vtiger_async.streams.options import Since, StreamOptions
from vtiger_async.streams.sqlite import SQLiteCursors

__all__ = [
    "Changes",
    "CursorStore",
    "CursorStoreError",
    "Delivery",
    "MemoryCursors",
    "ModuleProgress",
    "SQLiteCursors",
    "Since",
    "StreamError",
    "StreamOptions",
]
