"""Find the account for a web site in the environment, a netrc file or at the prompt; it is never shown."""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from semseg.errors import InvalidInputError

USERNAME_VARIABLE = "CITYSCAPES_USERNAME"
PASSWORD_VARIABLE = "CITYSCAPES_PASSWORD"


@dataclass(frozen=True)
class Account:
    """A name and a password; `repr` shows neither."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str  # for messages, such as "from ~/.netrc"


def find_account(
    host: str,
    ask: Callable[[str], tuple[str, str]] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Account:
    """Look in the environment, then in the netrc file ($NETRC or ~/.netrc), then ask the user.

    Args:
        host: the machine that the netrc file must name; its `default` entry is not used.
        ask: called with the host, returns name and password; None if there is no terminal.
        environment: for CITYSCAPES_USERNAME, CITYSCAPES_PASSWORD and NETRC.

    Raises:
        ValueError: only one of the two variables is set, the netrc file cannot be used, or there is no account.
    """
    username = environment.get(USERNAME_VARIABLE)
    password = environment.get(PASSWORD_VARIABLE)
    if username and password:
        return Account(username, password, f"from {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}")
    if username or password:
        present, absent = (USERNAME_VARIABLE, PASSWORD_VARIABLE)[:: 1 if username else -1]
        raise InvalidInputError(f"{present} is set and {absent} is not; set both or none", code="E-input-account")
    netrc_path = Path(environment.get("NETRC") or "~/.netrc").expanduser()
    entry = _read_netrc(netrc_path).get(host)
    if entry and entry[0] and entry[2]:
        return Account(entry[0], entry[2], f"from {netrc_path}")
    if ask is None:
        raise InvalidInputError(
            f"no account for {host}: set {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, or add "
            f"'machine {host}' to {netrc_path}, or run this in a terminal, which asks for them; "
            f"register at https://{host}/register/",
            code="E-input-account",
        )
    username, password = ask(host)
    if not username or not password:
        raise InvalidInputError(f"name or password for {host} is empty; enter both", code="E-input-account")
    return Account(username, password, "that was entered")


def _read_netrc(path: Path) -> dict[str, tuple]:
    if not path.is_file():
        return {}
    if path.stat().st_mode & 0o077:
        raise InvalidInputError(
            f"{path} holds passwords and other users may read it: chmod 600 {path}", code="E-input-account"
        )
    try:
        return netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:  # its text may quote a password
        raise InvalidInputError(
            f"{path}, line {error.lineno}, is not in the format of a netrc file; correct that line",
            code="E-input-account",
        ) from None
