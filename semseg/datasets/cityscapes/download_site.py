"""The download pages of Cityscapes, as a person's browser uses them: sign in, list, checksum, file.

The addresses and forms are those of cityscapesScripts' downloader (`csDownload`), and a test runs that
program against the same test server. It is not used as a library, because little of it serves: it has no
timeouts and no second try; it appends to a broken download even when the server starts over; it takes the
size from a rounded text; it keeps a damaged file under the final name; it reads and stores the password in a
file of its own; and it does not unpack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from semseg.datasets.cityscapes.account import Account
from semseg.errors import InvalidDataError

_TIMEOUT_S = (20, 60)  # to connect; between two bytes
_CHUNK_BYTES = 1 << 16  # at most this much is lost when the connection is cut
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Package(NamedTuple):
    """An archive that the account may download."""

    name: str  # of the file, as gtFine_trainvaltest.zip
    package_id: str
    num_bytes: int  # rounded: the list says 241MB


class Transfer(NamedTuple):
    """A file on its way."""

    start: int  # the position in the file of the first byte that comes; 0 where the server cannot continue
    total: int | None  # bytes of the whole file, where the server says it
    chunks: Iterator[bytes]


class Site:
    """The pages behind the sign-in.

    Whatever may be different at the next try (no answer, a cut connection, an error of the server) is a
    ConnectionError; a refusal is a PermissionError.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            raise InvalidDataError(f"{url} is not https; a password goes over no other connection")
        self.host = parts.hostname
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # else requests adds the netrc password to every request, as a header that this site never asks for
        self._session.auth = lambda request: request

    def sign_in(self, account: Account) -> None:
        """Sign in; the session's cookie holds it from then on."""
        self._get("/login", "the sign-in")
        form = {"username": account.username, "password": account.password, "submit": "Login"}
        response = self._send("POST", "/login", "the sign-in", data=form)
        if response.status_code != 302:  # whom it knows is sent on to another page
            raise PermissionError(
                f"{self.host} does not accept the account {account.source}; check name and password, "
                f"or register at {self._url}/register/"
            )

    def packages(self) -> dict[str, Package]:
        """List what the account may download, by name."""
        response = self._get("/downloads/?list", "the list of packages")
        try:
            return {
                entry["name"]: Package(entry["name"], str(entry["packageID"]), _parse_size(entry["size"]))
                for entry in response.json()
            }
        except (ValueError, KeyError, TypeError):
            raise PermissionError(
                f"{self.host} sent a page instead of the list of packages; sign in there with a browser "
                "and see what it asks for"
            ) from None

    def md5(self, package: Package) -> str:
        """Return the MD5 sum of an archive, 32 lower-case digits."""
        response = self._get(f"/md5-sum/?packageID={package.package_id}", f"the checksum of {package.name}")
        match = re.match(r"\s*([0-9a-fA-F]{32})\b", response.text)
        if not match:
            raise PermissionError(f"{self.host} sent no checksum of {package.name}; has the account access to it?")
        return match[1].lower()

    @contextmanager
    def open(self, package: Package, offset: int) -> Iterator[Transfer]:
        """Begin to receive an archive: from `offset` where the server can, else from its first byte."""
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        path = f"/file-handling/?packageID={package.package_id}"
        with self._send("GET", path, package.name, stream=True, headers=headers) as response:
            span = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+)$", response.headers.get("Content-Range", ""))
            if response.status_code == 416 and span and int(span[2]) <= offset:  # nothing is left to send
                yield Transfer(int(span[2]), int(span[2]), iter(()))
                return
            is_page = response.headers.get("Content-Type", "").startswith("text/html")
            if response.status_code not in (200, 206) or is_page:
                raise PermissionError(
                    f"{self.host} sent a page instead of {package.name}; sign in there with a browser, "
                    "and see whether the account has access to it"
                )
            if response.status_code == 206 and (not span or span[1] is None):
                raise ConnectionError(f"{self.host} sent a part of {package.name} without saying which")
            if response.status_code == 206:
                yield Transfer(int(span[1]), int(span[2]), self._chunks(response))
            else:
                length = response.headers.get("Content-Length", "")
                yield Transfer(0, int(length) if length.isdecimal() else None, self._chunks(response))

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(_CHUNK_BYTES)
        except requests.RequestException:
            raise ConnectionError(f"the connection to {self.host} was cut") from None

    def _get(self, path: str, what: str) -> requests.Response:
        return self._send("GET", path, what)

    def _send(self, method: str, path: str, what: str, **options: Any) -> requests.Response:
        try:
            # redirections are answers here, and a password must not follow one to another host
            response = self._session.request(
                method, self._url + path, allow_redirects=False, timeout=_TIMEOUT_S, **options
            )
        except requests.RequestException as error:
            raise ConnectionError(
                f"{self.host} does not answer ({type(error).__name__}); check the network, run this again"
            ) from None
        status = f"{response.status_code} {response.reason}".strip()
        if response.status_code >= 500 or response.status_code in (408, 429):
            raise ConnectionError(f"{self.host} answers {status} to {what}; run this again later")
        if response.status_code >= 400 and response.status_code != 416:
            raise PermissionError(f"{self.host} answers {status} to {what}; sign in there with a browser and see why")
        return response


def _parse_size(text: str) -> int:
    """Read `241MB`."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", str(text), re.IGNORECASE)
    if not match:
        raise InvalidDataError(f"{text} is no size")
    return int(float(match[1]) * _UNITS[match[2].upper()])
