"""Name the result files of images, relative to a folder of results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from semseg.errors import InvalidInputError
from semseg.system.folders import absolute_path
from semseg.system.objects.addresses import Address


def name_results(image_paths: Iterable[str], roots: Sequence[str | Path]) -> dict[str, Path]:
    """Name the results of a set of images: their paths relative to the root of the set, without suffix.

    `a/001.jpg` and `b/001.jpg` keep their folders. If two images differ only in the suffix, both keep it.

    Args:
        image_paths: all images of the set, as they are written in the set.
        roots: the folders of its images. Names are relative to their common parent, and if some images are outside of
            all roots, to the common parent of the roots and these images.

    Returns:
        Relative paths, by image path.
    """
    absolute = {path: absolute_path(path) for path in dict.fromkeys(image_paths)}
    folders = [absolute_path(root) for root in roots]
    outside = [path.parent for path in absolute.values() if not any(path.is_relative_to(root) for root in folders)]
    root = Path(os.path.commonpath([*folders, *outside])) if folders or outside else Path("/")
    relative = {path: whole.relative_to(root) for path, whole in absolute.items()}
    num_same = Counter(path.with_suffix("") for path in set(relative.values()))
    return {
        path: name if num_same[name.with_suffix("")] > 1 else name.with_suffix("") for path, name in relative.items()
    }


def check_inputs_stay(
    results: Iterable[str | Path | Address], inputs: Iterable[str | Path | Address], option: str
) -> None:
    """Refuse results that would replace files that are read.

    Args:
        results: files that will be written.
        inputs: files that are read.
        option: that names the folder of the results, for the message.

    Raises:
        ValueError: a file is in both.
    """
    files = {absolute_path(path) for path in inputs}
    for path in results:
        if absolute_path(path) in files:
            raise InvalidInputError(
                f"the results would replace {path}, which is an input; choose another `{option}`",
                code="E-input-overwrite",
            )
