"""Records as typed tables: in memory with Arrow, and in files of CSV, JSON lines or Parquet.

```python
table = await crm.frame("SELECT lastname, birthday FROM Contacts;")
report = await crm.export("Contacts", to="contacts.parquet")
```
"""

from __future__ import annotations

from vtiger_async.exports.errors import ExportError
from vtiger_async.exports.exporting import Export
from vtiger_async.exports.formats import FileFormat
from vtiger_async.exports.frames import FrameKind, frame
from vtiger_async.exports.reports import ExportReport

__all__ = ["Export", "ExportError", "ExportReport", "FileFormat", "FrameKind", "frame"]
