"""Texts about a run that others may read: without the folders and the user of the machine."""

from __future__ import annotations

import contextlib
import getpass
import re
import shlex
from pathlib import Path

from semseg.checkpoints.plain import HIDDEN

_PATH = re.compile(r"(?<![\w.:/~])(?:~?/|\.\./|[A-Za-z]:[\\/])[^\s'\",;\]\)]*")


def anonymous_command(command: str) -> str:
    """Return a command without the folders of absolute paths, and without the name of the user."""
    try:
        words = shlex.split(command)
    except ValueError:  # not written by a shell's rules
        return anonymous_text(command)
    shown = []
    for word in words:
        key, equals, value = word.partition("=") if not word.startswith(("/", "~")) else ("", "", word)
        if value.startswith(("/", "~", "../")) and "," not in value:  # may contain spaces
            value = Path(value).name
        elif not equals and word.startswith("../"):
            key = Path(word).name
        shown.append(anonymous_text(f"{key}{equals}{value}"))
    return shlex.join(shown)


def anonymous_text(text: str) -> str:
    """Replace absolute paths by their last part, and the name of the user."""
    text = _PATH.sub(lambda match: Path(match[0].replace("\\", "/")).name, text)
    for user in _user_names():
        text = re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", HIDDEN, text)
    return text


def _user_names() -> set[str]:
    """Return the names of the user; empty in a container whose user has none."""
    names = set()
    for name_of_user in (getpass.getuser, lambda: Path.home().name):
        with contextlib.suppress(OSError, KeyError, RuntimeError):
            names.add(name_of_user())
    return names - {"", "user"}
