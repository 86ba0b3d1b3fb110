"""The forms of the download pages, against a server on this machine that speaks them."""

import pytest

from tests.cityscapes_site import PASSWORD, USERNAME, make_zip, serve

pytest.importorskip("requests")

from semseg.datasets.cityscapes.account import Account
from semseg.datasets.cityscapes.download import URL
from semseg.datasets.cityscapes.download_site import Site, _parse_size
from tests.conftest import raises

GT = "gtFine_trainvaltest.zip"


@pytest.fixture
def server():
    with serve({GT: make_zip({"gtFine/a": bytes(1000)})}) as server:
        yield server


def sign_in(server, password=PASSWORD):
    site = Site(server.url)
    site.sign_in(Account(USERNAME, password, "that was entered"))
    return site


def test_it_signs_in_lists_packages_and_downloads_a_file_or_its_rest(server):
    site = sign_in(server)
    package = site.packages()[GT]
    content = server.archives[GT]
    for offset in (0, 7):
        with site.open(package, offset) as (start, total, chunks):
            assert (start, total, b"".join(chunks)) == (offset, len(content), content[offset:])


def test_a_wrong_password_is_a_refusal(server):
    with pytest.raises(PermissionError, match=r"^127.0.0.1 does not accept the account that was entered"):
        sign_in(server, "hunter2")


def test_passwords_go_over_https_only_and_in_the_form_only(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USERNAME} password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sign_in(server).packages()
    assert not [headers for headers in server.headers if "Authorization" in headers]
    with raises("E-input-account", r"^http://example.org is not https"):
        Site("http://example.org")


def test_a_page_instead_of_the_list_or_the_checksum_is_named(server):
    with pytest.raises(PermissionError, match=r"^127.0.0.1 sent a page instead of the list of packages;"):
        Site(server.url).packages()
    server.md5_sums = {GT: "<html>"}
    site = sign_in(server)
    with pytest.raises(PermissionError, match=rf"^127.0.0.1 sent no checksum of {GT}; has the account"):
        site.md5(site.packages()[GT])


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (503, ConnectionError, "answers 503 Service Unavailable to the sign-in; run this again later"),
        (
            403,
            PermissionError,
            "answers 403 Forbidden to the sign-in; sign in there with a browser",
        ),
    ],
)
def test_errors_of_the_server_are_sentences(server, status, error, message):
    server.status = status
    with pytest.raises(error, match=f"^127.0.0.1 {message}"):
        sign_in(server)


def test_an_unreachable_server_is_one_sentence():
    with serve({}) as gone:
        pass
    message = r"^127.0.0.1 does not answer \(ConnectionError\); check the network, run this again$"
    with pytest.raises(ConnectionError, match=message):
        sign_in(gone)


def test_sizes_of_the_list_are_read():
    assert [_parse_size(text) for text in ("241MB", "11GB", "1.5 KB", "7B")] == [
        241 * 10**6,
        11 * 10**9,
        1500,
        7,
    ]
    with raises("E-data-download", "many"):
        _parse_size("many")


def test_the_official_downloader_understands_the_server_and_asks_for_the_same_pages(server, tmp_path, monkeypatch):
    official = pytest.importorskip("cityscapesscripts.download.downloader")

    class Session(official.requests.Session):
        def request(self, method, url, **options):
            assert url.startswith(URL)
            return super().request(method, url.replace(URL, server.url), **options)

    with monkeypatch.context() as patches:
        patches.setattr(official.requests, "Session", Session)
        patches.setattr(official.appdirs, "user_data_dir", lambda *names: str(tmp_path))
        answers = iter([USERNAME, "n"])
        patches.setattr(official, "input", lambda prompt: next(answers))
        patches.setattr(official.getpass, "getpass", lambda prompt: PASSWORD)
        session = official.login()
        official.download_packages(session=session, package_names=[GT], destination_path=str(tmp_path))
    assert (tmp_path / GT).read_bytes() == server.archives[GT]
    theirs = [path for path, _ in server.requests]
    server.requests.clear()

    site = sign_in(server)
    package = site.packages()[GT]
    site.md5(package)
    with site.open(package, 0):
        pass
    assert [path for path, _ in server.requests] == theirs
