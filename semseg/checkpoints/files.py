"""What lies where in a work folder."""

from __future__ import annotations

import re
from pathlib import Path


def numbered_checkpoints(folder: str | Path) -> list[tuple[int, Path]]:
    """List `iter_<number>.pth` of a folder, the highest number first."""
    found = [(re.fullmatch(r"iter_(\d+)\.pth", path.name), path) for path in Path(folder).glob("iter_*.pth")]
    return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)
