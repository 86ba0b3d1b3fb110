"""An account on a web site: found in the environment, a netrc file or at the prompt, and shown nowhere."""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from semseg.errors import InvalidDataError

USERNAME_VARIABLE = "CITYSCAPES_USERNAME"
PASSWORD_VARIABLE = "CITYSCAPES_PASSWORD"


@dataclass(frozen=True)
class Account:
    """A name and a password; neither is in its `repr`."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str  # in words, for sentences


def find_account(
    host: str,
    ask: Callable[[str], tuple[str, str]] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Account:
    """Look in the environment, then in the netrc file ($NETRC or ~/.netrc), then ask.

    Args:
        host: the machine that the netrc file must name; its `default` entry is not used.
        ask: called with the host, returns name and password; None where nobody can answer.
        environment: for CITYSCAPES_USERNAME, CITYSCAPES_PASSWORD and NETRC.

    Raises:
        ValueError: only one of the two variables is set, the netrc file cannot be used, or nothing is found.
    """
    username = environment.get(USERNAME_VARIABLE)
    password = environment.get(PASSWORD_VARIABLE)
    if username and password:
        return Account(username, password, f"from {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}")
    if username or password:
        found, absent = (USERNAME_VARIABLE, PASSWORD_VARIABLE)[:: 1 if username else -1]
        raise InvalidDataError(f"{found} is set and {absent} is not; set both or none")
    netrc_path = Path(environment.get("NETRC") or "~/.netrc").expanduser()
    entry = _read_netrc(netrc_path).get(host)
    if entry and entry[0] and entry[2]:
        return Account(entry[0], entry[2], f"from {netrc_path}")
    if ask is None:
        raise InvalidDataError(
            f"no account for {host}: set {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, or add "
            f"'machine {host}' to {netrc_path}, or run this in a terminal, which asks; "
            f"register at https://{host}/register/"
        )
    username, password = ask(host)
    if not username or not password:
        raise InvalidDataError(f"name or password for {host} is empty; type both")
    return Account(username, password, "that was typed in")


def _read_netrc(path: Path) -> dict[str, tuple]:
    if not path.is_file():
        return {}
    if path.stat().st_mode & 0o077:
        raise InvalidDataError(f"{path} holds passwords and others may read it: chmod 600 {path}")
    try:
        return netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:  # its text may quote a password
        raise InvalidDataError(
            f"{path}, line {error.lineno}, is not in the form of a netrc file; mend that line"
        ) from None
