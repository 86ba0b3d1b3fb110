"""Where this project keeps what it can find out again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return where caches lie: $SEMSEG_CACHE, else ~/.cache/semseg."""
    return Path(os.environ.get("SEMSEG_CACHE") or Path.home() / ".cache/semseg")
