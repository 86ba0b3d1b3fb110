"""Names of results: where what belongs to an image lies below a folder of results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from semseg.system.folders import absolute_path


def name_results(image_paths: Iterable[str], roots: Sequence[str | Path]) -> dict[str, Path]:
    """Name the results of a whole set of images: their paths relative to its root, without suffix.

    So `a/001.jpg` and `b/001.jpg` keep their folders. Where two images differ in nothing but the suffix, both keep it.

    Args:
        image_paths: all images of the set, as the set writes them.
        roots: the folders of its images; several share the folder above all of them. Images outside are named relative
            to the folder above everything.

    Returns:
        By image path: a relative path.
    """
    absolute = {path: absolute_path(path) for path in dict.fromkeys(image_paths)}
    folders = [absolute_path(root) for root in roots]
    outside = [path.parent for path in absolute.values() if not any(path.is_relative_to(root) for root in folders)]
    root = Path(os.path.commonpath([*folders, *outside])) if folders or outside else Path("/")
    relative = {path: whole.relative_to(root) for path, whole in absolute.items()}
    times = Counter(path.with_suffix("") for path in set(relative.values()))
    return {path: name if times[name.with_suffix("")] > 1 else name.with_suffix("") for path, name in relative.items()}
