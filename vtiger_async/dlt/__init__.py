"""A source for dlt: modules of a Vtiger, loaded incrementally into anything that dlt loads into.

```python
pipeline = dlt.pipeline("crm", destination="duckdb", dataset_name="vtiger")
pipeline.run(vtiger_source(["Contacts", "Accounts"]))
```

`url` and `username` come from dlt's configuration, `access_key` from its secrets, if they are not
given: `[sources.vtiger]` in `config.toml` and `secrets.toml`. Wants the extra `dlt`.
"""

from __future__ import annotations

try:
    import dlt as _dlt
except ImportError as error:
    message = f"the source needs its extra: pip install 'vtiger-async[dlt]' ({error})"
    raise ImportError(message) from error

from vtiger_async.dlt.source import vtiger_source

del _dlt

__all__ = ["vtiger_source"]
