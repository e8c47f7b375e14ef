"""The command line, `vtiger-async`; it needs the extra `cli`."""

try:
    from vtiger_async.cli.main import app
except ModuleNotFoundError as error:
    if (error.name or "").startswith("vtiger_async"):
        raise
    raise ModuleNotFoundError(
        f"the command line needs {error.name}: pip install 'vtiger-async[cli]'", name=error.name
    ) from None

__all__ = ["app"]
