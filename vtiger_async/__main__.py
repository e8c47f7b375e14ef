"""`python -m vtiger_async`: the same as the command `vtiger-async`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; without the extra `cli`, say so in one sentence and exit with 2."""
    try:
        from vtiger_async.cli import app  # typer and rich come with the extra
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    app()


if __name__ == "__main__":
    main()
