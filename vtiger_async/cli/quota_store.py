"""The option `--quota-store`: a URL in, a store out, and its warnings on stderr."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO
from urllib.parse import unquote, urlsplit

from vtiger_async.cli.exits import note
from vtiger_async.errors import ConfigurationError

if TYPE_CHECKING:
    from vtiger_async.stores import QuotaStore

__all__ = ["store_at", "told_on_stderr"]


def store_at(url: str) -> QuotaStore:
    """Return the store that a URL names.

    Args:
        url: `sqlite:///absolute/path`, `sqlite:relative/path`, a URL of redis, rediss or unix as
            redis-py reads it, or of postgresql as libpq does.

    Raises:
        ConfigurationError: It names none, or cannot be read; the URL is not shown, as it can hold
            a password.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        from vtiger_async.stores.sqlite import SQLiteQuota

        parts = urlsplit(url)
        if parts.netloc:
            raise ConfigurationError(
                "--quota-store: after sqlite: comes a path, as in sqlite:///var/lib/quota.db"
            )
        return SQLiteQuota(unquote(parts.path))
    if scheme in ("redis", "rediss", "unix"):
        from vtiger_async.stores.redis import RedisQuota

        return RedisQuota(url)
    if scheme in ("postgresql", "postgres"):
        from vtiger_async.stores.postgres import PostgresQuota

        return PostgresQuota(url)
    raise ConfigurationError(
        "--quota-store wants a URL of sqlite, redis, rediss, unix or postgresql, as in "
        "sqlite:///var/lib/quota.db"
    )


@contextmanager
def told_on_stderr(store: QuotaStore | None) -> Generator[None]:
    """Tell in one line on stderr when the store fails, while the block runs.

    Args:
        store: The store; without one, nothing is changed.
    """
    if store is None:
        yield
        return
    from vtiger_async.stores import SharedQuotaWarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, SharedQuotaWarning):
            note(f"warning: {message}")
        else:
            others(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", SharedQuotaWarning)
        others, warnings.showwarning = warnings.showwarning, show
        yield
