"""Use the download pages of Cityscapes as a browser does: sign in, list, checksum, file.

The addresses and forms are those of cityscapesScripts' downloader (`csDownload`), and a test runs that
program against the same test server. It is not used as a library, because little of it fits: it has no
timeouts and no retries; it appends to an interrupted download even if the server starts over; it takes the
size from a rounded text; it keeps a damaged file under the final name; it reads and stores the password in a
file of its own; and it does not unpack.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from semseg.datasets.cityscapes.account import Account
from semseg.errors import InvalidDataError, InvalidInputError

_TIMEOUT_S = (20, 60)  # to connect; between two bytes
_CHUNK_BYTES = 1 << 16  # at most this much is lost when the connection is cut
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Package(NamedTuple):
    """An archive that the account may download."""

    name: str  # of the file, such as gtFine_trainvaltest.zip
    package_id: str
    num_bytes: int  # rounded: the list has 241MB


class Transfer(NamedTuple):
    """A running download of a file."""

    start: int  # position of the first byte in the file; 0 if the server cannot continue
    total: int | None  # bytes of the whole file, if the server states it
    chunks: Iterator[bytes]


class Site:
    """The pages behind the sign-in.

    Faults that may be temporary (no answer, a lost connection, an error of the server) are ConnectionErrors; a refusal
    is a PermissionError.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            raise InvalidInputError(f"{url} is not https; passwords are sent over https only", code="E-input-account")
        self.host = parts.hostname or ""
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # otherwise requests would send the netrc password with every request, in a header that this site does not use
        self._session.auth = lambda request: request

    def sign_in(self, account: Account) -> None:
        """Sign in; afterwards a cookie of the session identifies the account."""
        self._get("/login", "the sign-in")
        form = {"username": account.username, "password": account.password, "submit": "Login"}
        response = self._send("POST", "/login", "the sign-in", data=form)
        if response.status_code != 302:  # an accepted account is redirected to another page
            raise PermissionError(
                f"{self.host} does not accept the account {account.source}; check name and password, "
                f"or register at {self._url}/register/"
            )

    def packages(self) -> dict[str, Package]:
        """Return the packages that the account may download, by name."""
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
    def open(self, package: Package, offset: int) -> Generator[Transfer]:
        """Start to receive an archive: from `offset` if the server supports it, else from its first byte."""
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        path = f"/file-handling/?packageID={package.package_id}"
        with self._send("GET", path, package.name, stream=True, headers=headers) as response:
            span = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+)$", response.headers.get("Content-Range", ""))
            if response.status_code == 416 and span and int(span[2]) <= offset:  # the file is complete
                yield Transfer(int(span[2]), int(span[2]), iter(()))
                return
            is_page = response.headers.get("Content-Type", "").startswith("text/html")
            if response.status_code not in (200, 206) or is_page:
                raise PermissionError(
                    f"{self.host} sent a page instead of {package.name}; sign in there with a browser, "
                    "and see whether the account has access to it"
                )
            if response.status_code == 206:
                if span is None or span[1] is None:
                    raise ConnectionError(f"{self.host} sent a part of {package.name} without saying which")
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
            # redirects are answers here, and a password must not be sent to another host
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


def _parse_size(text: object) -> int:
    """Return the number of bytes of a text such as `241MB`."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", str(text), re.IGNORECASE)
    if not match:
        raise InvalidDataError(f"{text} is not a size", code="E-data-download")
    return int(float(match[1]) * _UNITS[match[2].upper()])
