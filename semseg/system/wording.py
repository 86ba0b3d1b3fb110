"""Words that messages of all folders share."""

from __future__ import annotations

from collections.abc import Iterable


def listing(names: Iterable[object], num_shown: int = 3) -> str:
    """Write `a, b, c and 4 more`; nothing for no name."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - num_shown} more" if len(texts) > num_shown else ""
    return ", ".join(texts[:num_shown]) + more
