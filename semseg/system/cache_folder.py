"""The folder for caches: data that can be computed again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """Return $SEMSEG_CACHE, or the cache folder of the system: on Linux ~/.cache/semseg, or below $XDG_CACHE_HOME."""
    return Path(os.environ.get("SEMSEG_CACHE") or user_cache_path("semseg", appauthor=False))
