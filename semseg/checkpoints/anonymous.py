"""Texts about a run that others may read: without absolute paths, and without the name of the user of this process.

Names in relative paths and of other users cannot be told from other words, and stay.
"""

from __future__ import annotations

import contextlib
import getpass
import re
import shlex
from pathlib import Path

from semseg.checkpoints.plain import HIDDEN

_LOCAL = r"(?:file|sqlite):/"  # addresses of files on this machine
_ABSOLUTE = rf"(?:{_LOCAL}|~[\w.-]*/|/|\.\./|[A-Za-z]:[\\/])"
_PATH = re.compile(rf"(?<![\w.:/~]){_ABSOLUTE}[^\s'\",;\]\)]*")
_LONE_PATH = re.compile(rf"(?:~|{_ABSOLUTE})[^,]*")  # a word of a command, which may contain spaces
_KEY = re.compile(r"--?[\w-]+|[A-Za-z_]\w*(?:\.\w+)*")  # a flag, or a key of a config
_SHARED_NAMES = {"root", "user"}  # they name no person, and are words of configs


def anonymous_command(command: str) -> str:
    """Return a command without the folders of absolute paths, and without the name of the user."""
    try:
        words = shlex.split(command)
    except ValueError:  # not written by a shell's rules
        return anonymous_text(command)
    shown = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            key, equals, value = "", "", word
        value = _name_of(value) if _LONE_PATH.fullmatch(value) else value
        shown.append(f"{key}{equals}{anonymous_text(value)}")
    return shlex.join(shown)


def anonymous_text(text: str) -> str:
    """Replace absolute paths, also in addresses such as `file:///home/ada/w.pth`, by their last part; hide the user."""
    text = _PATH.sub(lambda match: _name_of(match[0]), text)
    for user in _user_names():
        text = re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", HIDDEN, text)
    return text


def _name_of(path: str) -> str:
    return Path(path.replace("\\", "/")).name


def _user_names() -> set[str]:
    """Return the names of the user; empty in a container whose user has none."""
    names = set()
    for name_of_user in (getpass.getuser, lambda: Path.home().name):
        with contextlib.suppress(OSError, KeyError, RuntimeError):
            names.add(name_of_user())
    return names - {"", *_SHARED_NAMES}
