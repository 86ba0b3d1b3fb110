"""Find class names that differ only in their spelling: `Car`, `car` and `car ` are one class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

DIFFERENCE = "differ only in capitals, spaces, _ or -"


def spellings_of_one(names: Iterable[str]) -> list[str]:
    """Return the first names that differ only in capitals, spaces, underscores or hyphens; empty if there are none."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        plain = unicodedata.normalize("NFKC", name).casefold().strip()
        groups.setdefault(re.sub(r"[\s_-]+", " ", plain), []).append(name)
    return next((group for group in groups.values() if len(group) > 1), [])


def list_names(names: Iterable[str]) -> str:
    """Write `'a', 'b' and 'c'`."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last
