"""Format text for messages."""

from __future__ import annotations

from collections.abc import Iterable


def listing(names: Iterable[object], num_shown: int = 3) -> str:
    """Join names as `a, b, c and 4 more`; return an empty string without names."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - num_shown} more" if len(texts) > num_shown else ""
    return ", ".join(texts[:num_shown]) + more
