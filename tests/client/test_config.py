"""The configuration: where the instance is, and what the environment says."""

from __future__ import annotations

import pytest

from vtiger_async.config import API_PATH, base_url, is_loopback, settings_from
from vtiger_async.errors import ConfigurationError

CLOUD = "https://acme.od2.vtiger.com"
KEY = "s3cr3tKEY"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("acme.od2.vtiger.com", CLOUD),
        ("  acme.od2.vtiger.com/ ", CLOUD),
        ("ACME.OD2.vtiger.com", CLOUD),
        ("https://acme.od2.vtiger.com", CLOUD),
        ("HTTPS://acme.od2.vtiger.com/", CLOUD),
        (CLOUD + API_PATH, CLOUD),
        (CLOUD + API_PATH + "/", CLOUD),
        (CLOUD + "/index.php?module=Home&view=DashBoard", CLOUD),
        (CLOUD + "/view/list?module=Contacts#top", CLOUD),
        ("acme.od2.vtiger.com:8443", CLOUD + ":8443"),
        ("https://crm.example.com", "https://crm.example.com"),
        ("https://crm.example.com/vtigercrm/", "https://crm.example.com/vtigercrm"),
        ("crm.example.com/vtigercrm", "https://crm.example.com/vtigercrm"),
        ("https://crm.example.com/crm/index.php", "https://crm.example.com/crm"),
        ("https://crm.example.com/crm/webservice.php", "https://crm.example.com/crm"),
        ("https://crm.example.com/crm" + API_PATH + "/me", "https://crm.example.com/crm"),
        ("https://crm.example.com/restapi", "https://crm.example.com"),
        ("https://crm.example.com/restapiary", "https://crm.example.com/restapiary"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("localhost:8000", "http://localhost:8000"),
        ("http://sandbox.localhost", "http://sandbox.localhost"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://[2001:db8::1]/crm", "https://[2001:db8::1]/crm"),
    ],
)
def test_the_url_is_taken_as_people_have_it(url: str, base: str) -> None:
    """A host, the instance's URL, a page in it and the full endpoint lead to one base."""
    assert base_url(url) == base
    assert base_url(base) == base


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "it is empty or holds a space"),
        ("acme od2.vtiger.com", "it is empty or holds a space"),
        ("https://", "names no host"),
        ("https:/acme.od2.vtiger.com", "names no host"),
        ("https//acme.od2.vtiger.com", "names no host"),
        ("https://acme.od2.vtiger.com:port", "cannot be read"),
        ("https://acme.od2.vtiger.com:99999", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("ftp://acme.od2.vtiger.com", "https is wanted, not ftp"),
    ],
)
def test_what_is_no_address_is_refused(url: str, reason: str) -> None:
    """The error says what is wrong with the URL."""
    with pytest.raises(ConfigurationError, match=reason):
        base_url(url)


@pytest.mark.parametrize("host", ["acme.od2.vtiger.com", "192.168.1.5", "0.0.0.0", "localhost.x"])
def test_plain_http_is_for_loopback_only(host: str) -> None:
    """The access key never crosses a network unencrypted."""
    with pytest.raises(ConfigurationError, match=f"unencrypted to {host}: use https"):
        base_url(f"http://{host}/")
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        f"https://admin:{KEY}@acme.od2.vtiger.com",
        f"https://{KEY}@acme.od2.vtiger.com",
        f"admin:{KEY}@acme.od2.vtiger.com",
        f"https://:{KEY}@localhost",
        f"https://admin:{KEY}@acme.od2.vtiger.com:port",
        f"https://admin:{KEY} @acme.od2.vtiger.com",
        f"https://admin:{KEY}@",
        f"https://admin:{KEY}",
    ],
)
def test_credentials_in_the_url_are_refused_and_not_shown(url: str) -> None:
    """A key in a URL would end in logs: it is refused, and the error does not repeat it."""
    with pytest.raises(ConfigurationError) as caught:
        base_url(url)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


ENVIRONMENT = {
    "VTIGER_URL": "acme.od2.vtiger.com",
    "VTIGER_USERNAME": "ada@example.com",
    "VTIGER_ACCESS_KEY": KEY,
}


class TestSettings:
    """`settings_from`."""

    def test_three_variables_are_enough(self) -> None:
        """URL, user name and key make the settings; the others may be missing or empty."""
        assert settings_from(ENVIRONMENT | {"VTIGER_EDITION": "", "VTIGER_USERS": ""}) == {
            "url": "acme.od2.vtiger.com",
            "username": "ada@example.com",
            "access_key": KEY,
        }

    def test_edition_and_users_are_read(self) -> None:
        """The edition is text and the users are a number."""
        more = {"VTIGER_EDITION": "one-growth", "VTIGER_USERS": "12"}
        settings = settings_from(ENVIRONMENT | more)
        assert (settings["edition"], settings["users"]) == ("one-growth", 12)

    @pytest.mark.parametrize(
        ("text", "wanted"), [("1", True), (" Yes ", True), ("0", False), ("off", False)]
    )
    def test_the_api_is_chosen(self, text: str, *, wanted: bool) -> None:
        """`VTIGER_SESSION_API` chooses webservice.php; without it nothing is said."""
        assert settings_from(ENVIRONMENT | {"VTIGER_SESSION_API": text})["session_api"] is wanted
        assert "session_api" not in settings_from(ENVIRONMENT | {"VTIGER_SESSION_API": ""})

    def test_an_api_that_is_none_is_refused(self) -> None:
        """The error names the variable."""
        with pytest.raises(ConfigurationError, match="VTIGER_SESSION_API is 1 or 0"):
            settings_from(ENVIRONMENT | {"VTIGER_SESSION_API": "webservice"})

    def test_what_is_missing_is_named(self) -> None:
        """The error lists all variables that are missing or empty."""
        with pytest.raises(ConfigurationError, match="set VTIGER_URL, VTIGER_ACCESS_KEY in the"):
            settings_from({"VTIGER_USERNAME": "ada@example.com", "VTIGER_ACCESS_KEY": ""})

    def test_what_the_caller_has_may_be_missing(self) -> None:
        """An argument that is given otherwise is not asked of the environment."""
        rest = {"VTIGER_URL": "acme.od2.vtiger.com", "VTIGER_USERNAME": "ada@example.com"}
        assert settings_from(rest, given={"access_key"}) == {
            "url": "acme.od2.vtiger.com",
            "username": "ada@example.com",
        }

    @pytest.mark.parametrize("users", ["five", "-1", "1.5", "²", "9" * 5000])
    def test_users_that_are_no_number_are_refused(self, users: str) -> None:
        """The error names the variable."""
        with pytest.raises(ConfigurationError, match="VTIGER_USERS is a number of users"):
            settings_from(ENVIRONMENT | {"VTIGER_USERS": users})

    def test_the_process_is_asked_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without an argument the variables are those of the process."""
        for name in ENVIRONMENT:
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ConfigurationError, match="VTIGER_URL"):
            settings_from()
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        assert settings_from()["access_key"] == KEY
