import pytest

from semseg.datasets.cityscapes.account import Account, find_account
from tests.conftest import raises

HOST = "www.cityscapes-dataset.com"


def never(host):
    pytest.fail("asked")


@pytest.fixture
def netrc_path(tmp_path):
    path = tmp_path / "netrc"
    path.write_text(f"machine {HOST} login ada password secret&+\ndefault login x password y\n")
    path.chmod(0o600)
    return path


def test_the_environment_comes_first(netrc_path):
    environment = {"CITYSCAPES_USERNAME": "ada", "CITYSCAPES_PASSWORD": "s", "NETRC": str(netrc_path)}
    account = find_account(HOST, never, environment)
    assert (account.username, account.password) == ("ada", "s")
    assert account.source == "from CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD"


@pytest.mark.parametrize(
    ("given", "absent"),
    [("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"), ("CITYSCAPES_PASSWORD", "CITYSCAPES_USERNAME")],
)
def test_a_name_without_password_in_the_environment_is_an_error(given, absent):
    with raises("E-input-account", f"^{given} is set and {absent} is not"):
        find_account(HOST, never, {given: "secret"})


def test_the_netrc_file_comes_second_and_its_default_does_not_count(netrc_path):
    account = find_account(HOST, never, {"NETRC": str(netrc_path)})
    assert (account.username, account.password, account.source) == ("ada", "secret&+", f"from {netrc_path}")
    asked = find_account("elsewhere.org", lambda host: ("bob", host), {"NETRC": str(netrc_path)})
    assert (asked.username, asked.password) == ("bob", "elsewhere.org")


def test_a_netrc_file_that_others_may_read_is_refused(netrc_path):
    netrc_path.chmod(0o644)
    with raises("E-input-account", f"chmod 600 {netrc_path}"):
        find_account(HOST, never, {"NETRC": str(netrc_path)})


def test_a_broken_netrc_file_is_named_without_its_content(netrc_path):
    netrc_path.write_text(f"machine {HOST}\nlogin ada\npasword hunter2\n")
    with raises("E-input-account", r"netrc, line 3,") as caught:
        find_account(HOST, never, {"NETRC": str(netrc_path)})
    assert "hunter2" not in str(caught.value)


def test_without_an_account_and_without_a_terminal_the_ways_out_are_named(tmp_path):
    environment = {"NETRC": str(tmp_path / "none")}
    ways = (
        f"CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD, .*'machine {HOST}' .*{tmp_path}/none, .*https://{HOST}/register/"
    )
    with raises("E-input-account", ways):
        find_account(HOST, None, environment)
    with raises("E-input-account", f"name or password for {HOST} is empty"):
        find_account(HOST, lambda host: ("ada", ""), environment)


def test_an_account_shows_neither_name_nor_password():
    assert repr(Account("ada", "secret", "that was entered")) == "Account(source='that was entered')"
