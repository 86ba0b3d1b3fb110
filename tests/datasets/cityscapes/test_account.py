import pytest

from semseg.datasets.cityscapes.account import Account, find_account

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
def test_half_an_account_in_the_environment_is_an_error(given, absent):
    with pytest.raises(ValueError, match=f"^{given} is set and {absent} is not; set both or none$"):
        find_account(HOST, never, {given: "secret"})


def test_the_netrc_file_comes_second_and_its_default_does_not_count(netrc_path):
    account = find_account(HOST, never, {"NETRC": str(netrc_path)})
    assert (account.username, account.password, account.source) == ("ada", "secret&+", f"from {netrc_path}")
    asked = find_account("elsewhere.org", lambda host: ("bob", host), {"NETRC": str(netrc_path)})
    assert (asked.username, asked.password) == ("bob", "elsewhere.org")


def test_a_netrc_file_that_others_may_read_is_refused(netrc_path):
    netrc_path.chmod(0o644)
    with pytest.raises(ValueError, match=r"netrc holds passwords and others may read it: chmod 600 /"):
        find_account(HOST, never, {"NETRC": str(netrc_path)})


def test_a_broken_netrc_file_is_named_without_its_words(netrc_path):
    netrc_path.write_text(f"machine {HOST}\nlogin ada\npasword hunter2\n")
    with pytest.raises(ValueError, match=r"netrc, line 3, is not in the form of a netrc file; mend") as caught:
        find_account(HOST, never, {"NETRC": str(netrc_path)})
    assert "hunter2" not in str(caught.value)


def test_without_an_account_and_without_a_terminal_the_ways_out_are_named(tmp_path):
    environment = {"NETRC": str(tmp_path / "none")}
    with pytest.raises(ValueError) as caught:
        find_account(HOST, None, environment)
    assert str(caught.value) == (
        f"no account for {HOST}: set CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD, or add 'machine {HOST}' to "
        f"{tmp_path}/none, or run this in a terminal, which asks; register at https://{HOST}/register/"
    )
    with pytest.raises(ValueError, match=f"^name or password for {HOST} is empty; type both$"):
        find_account(HOST, lambda host: ("ada", ""), environment)


def test_an_account_shows_neither_name_nor_password():
    assert repr(Account("ada", "secret", "that was typed in")) == "Account(source='that was typed in')"
