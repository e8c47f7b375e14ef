"""Where the instance is: the URL as people have it, and the settings of the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from vtiger_async.errors import ConfigurationError

__all__ = ["API_PATH", "SESSION_PATH", "base_url", "settings_from"]

API_PATH = "/restapi/v1/vtiger/default"
"""Where the operations are, below the instance's base (manual of 2025, "Getting Started")."""

SESSION_PATH = "/webservice.php"
"""Where the operations are for those that log in (open source; the manual of 2021 shows it)."""

_ENDS = re.compile(r"/(?:restapi(?:/|$)|index\.php|webservice\.php)")
_ENVIRONMENT = {
    "VTIGER_URL": "url",
    "VTIGER_USERNAME": "username",
    "VTIGER_ACCESS_KEY": "access_key",
}
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def base_url(url: str) -> str:
    """Return the instance's base, without a slash at its end, from any form people have it in.

    A host, the URL of the instance or of a page in it, and the full endpoint all do.

    Raises:
        ConfigurationError: It is no such URL, has a user name or key in it, or is plain http to
            another machine.
    """
    text = url.strip()
    if not text or any(c.isspace() for c in text):
        raise ConfigurationError(
            "url: it is empty or holds a space; an instance's address is acme.od2.vtiger.com"
        )
    scheme, rest = text.split("://", 1) if "://" in text else ("", text)
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # Not shown: what stands in the port's place can be a key.
        raise ConfigurationError(
            "url: it cannot be read: after the host's name comes a port's number, or nothing"
        ) from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "url: it holds a user name or a key: give them as username= and access_key="
        )
    if host in ("", "http", "https"):
        raise ConfigurationError(
            "url: it names no host; an instance's address is acme.od2.vtiger.com"
        )
    scheme = scheme.lower() or ("http" if is_loopback(host) else "https")
    if scheme not in ("https", "http"):
        raise ConfigurationError(f"url: https is wanted, not {scheme}")
    if scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"url: plain http would send the access key unencrypted to {host}: use https "
            "(http is for loopback only)"
        )
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    return f"{scheme}://{authority}{_base_path(host, parts.path)}"


def _base_path(host: str, path: str) -> str:
    # The Cloud lives at the root of its host; whatever follows is a page of the user interface.
    if host.endswith(".vtiger.com"):
        return ""
    end = _ENDS.search(path)
    return (path[: end.start()] if end else path).rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_from(
    environment: Mapping[str, str] | None = None, given: Collection[str] = ()
) -> dict[str, object]:
    """Return the client's arguments from the environment.

    Reads `VTIGER_URL`, `VTIGER_USERNAME`, `VTIGER_ACCESS_KEY` and, where set, `VTIGER_EDITION`,
    `VTIGER_USERS` and `VTIGER_SESSION_API`.

    Args:
        environment: The variables; those of the process, if not given.
        given: Arguments that the caller has already; they may be missing.

    Raises:
        ConfigurationError: One is missing, `VTIGER_USERS` is no number, or `VTIGER_SESSION_API` is
            neither yes nor no; no value is shown.
    """
    variables = os.environ if environment is None else environment
    missing = [
        variable
        for variable, argument in _ENVIRONMENT.items()
        if not variables.get(variable) and argument not in given
    ]
    if missing:
        raise ConfigurationError(f"set {', '.join(missing)} in the environment")
    settings: dict[str, object] = {
        argument: variables[variable]
        for variable, argument in _ENVIRONMENT.items()
        if variables.get(variable)
    }
    if variables.get("VTIGER_EDITION"):
        settings["edition"] = variables["VTIGER_EDITION"]
    users = variables.get("VTIGER_USERS")
    if users:
        if not (users.isdecimal() and len(users) < 10):
            raise ConfigurationError("VTIGER_USERS is a number of users")
        settings["users"] = int(users)
    if sessions := variables.get("VTIGER_SESSION_API", "").strip().lower():
        if sessions not in _YES | _NO:
            raise ConfigurationError("VTIGER_SESSION_API is 1 or 0")
        settings["session_api"] = sessions in _YES
    return settings
