"""Predictions as the Cityscapes server wants them: label ids, one PNG per image, in one zip archive."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import CITYSCAPES, IGNORED
from semseg.system.atomic import atomic_path
from semseg.system.folders import walk_files

_IMAGE_SUFFIX = "_leftImg8bit.png"
_STEM = re.compile(r"([^_]+_\d+_\d+)(?:_.*)?")  # city, sequence, frame; the server reads no further
_NUM_CLASSES = len(CITYSCAPES.classes)


def pack(
    predictions_dir: str | Path,
    out_path: str | Path,
    root: str | Path,
    split: str = "test",
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the archive to hand in.

    Args:
        predictions_dir: holds train ids (0 to 18) as gray or palette PNGs named after the images, with or
            without `_leftImg8bit`, in sub-folders or not; other files are not looked at.
        out_path: the archive, `.zip`; appears complete or not at all.
        root: the dataset, with `leftImg8bit/<split>/<city>/*_leftImg8bit.png`.
        split: whose images must be there, each once.
        on_progress: called with the number of images done and the number of all.

    Returns:
        The number of images.

    Raises:
        FileNotFoundError: a folder is missing or empty.
        ValueError: a prediction is missing, unknown or there twice, has another size than its image, or holds
            anything but train ids.
    """
    on_progress = on_progress or (lambda done, total: None)
    out_path = Path(out_path)
    if out_path.suffix != ".zip":
        raise InvalidDataError(f"{out_path} does not end in .zip, which the server asks for; rename it")
    image_paths = _find_images(Path(root), split)
    predicted_paths = _pair(image_paths, Path(predictions_dir), split)
    _check_headers(image_paths, predicted_paths)
    problems = []
    with atomic_path(out_path) as temporary_path:
        with zipfile.ZipFile(temporary_path, "w") as archive:  # PNGs do not get smaller
            for num_done, (name, path) in enumerate(predicted_paths.items(), start=1):
                try:
                    content = _encode_label_ids(path)
                except ValueError as error:
                    problems.append(f"{path} {error}")
                else:
                    # zipfile's date of 1980: the same predictions give the same archive
                    archive.writestr(zipfile.ZipInfo(f"{name}_labelIds.png"), content)
                on_progress(num_done, len(predicted_paths))
        if problems:
            raise InvalidDataError(
                f"{len(problems)} of {len(predicted_paths)} predictions cannot be used, first {problems[0]}"
            )
    return len(predicted_paths)


def _find_images(root: Path, split: str) -> dict[str, Path]:
    folder = root / "leftImg8bit" / split
    if not folder.is_dir():
        raise MissingDataError(
            f"no folder {folder}; the images say which predictions belong in, see --root and --split"
        )
    paths = sorted(path for path in walk_files(folder) if path.name.endswith(_IMAGE_SUFFIX))
    if not paths:
        raise MissingDataError(f"no *{_IMAGE_SUFFIX} under {folder}; unpack leftImg8bit_trainvaltest.zip in {root}")
    return {path.name.removesuffix(_IMAGE_SUFFIX): path for path in paths}


def _pair(image_paths: dict[str, Path], predictions_dir: Path, split: str) -> dict[str, Path]:
    """Find the prediction of every image."""
    if not predictions_dir.is_dir():
        raise MissingDataError(f"no folder {predictions_dir}; tools/test.py --out DIR writes predictions")
    found: dict[str, Path] = {}
    unknown = []
    for path in sorted(path for path in walk_files(predictions_dir) if path.suffix == ".png"):
        match = _STEM.fullmatch(path.stem)
        if not match or match[1] not in image_paths:
            unknown.append(path)
        elif match[1] in found:
            raise InvalidDataError(f"{match[1]} has two predictions, {found[match[1]]} and {path}; remove one")
        else:
            found[match[1]] = path
    if not found and not unknown:
        raise MissingDataError(f"no PNG in {predictions_dir}; tools/test.py --out DIR writes predictions")
    if unknown:
        raise InvalidDataError(
            f"{len(unknown)} of {len(unknown) + len(found)} predictions belong to no image of {split}, "
            f"first {unknown[0]}; move what is not meant away, or choose another --split"
        )
    missing = [name for name in image_paths if name not in found]
    if missing:
        raise InvalidDataError(
            f"{len(missing)} of {len(image_paths)} images of {split} have no prediction, "
            f"first {image_paths[missing[0]]}; predict them all"
        )
    return {name: found[name] for name in image_paths}


def _check_headers(image_paths: dict[str, Path], predicted_paths: dict[str, Path]) -> None:
    """Compare sizes and kinds, which takes a moment, before all pixels are read."""
    other_size, other_mode = [], []
    for name, path in predicted_paths.items():
        mode, found = _read_header(path)
        _, expected = _read_header(image_paths[name])
        if mode not in ("L", "P"):
            other_mode.append(f"{path} ({mode})")
        elif found != expected:
            other_size.append(f"{path}: {found[0]}x{found[1]}, the image has {expected[0]}x{expected[1]}")
    if other_mode:
        raise InvalidDataError(
            f"{len(other_mode)} of {len(predicted_paths)} predictions are neither gray nor palette PNGs, "
            f"first {other_mode[0]}; the train ids are wanted, not the coloured overlays"
        )
    if other_size:
        raise InvalidDataError(
            f"{len(other_size)} of {len(predicted_paths)} predictions have another size than their image, "
            f"first {other_size[0]}; predict at full size"
        )


def _read_header(path: Path) -> tuple[str, tuple[int, int]]:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.mode, image.size
    except (OSError, SyntaxError, ValueError):
        raise InvalidDataError(f"{path} is not a readable PNG; write it again") from None


def _encode_label_ids(path: Path) -> bytes:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            train_ids = np.asarray(image)
    except (OSError, SyntaxError, ValueError):
        raise InvalidDataError("is cut short or damaged; write it again") from None
    counts = np.bincount(train_ids.ravel(), minlength=256)
    wrong = {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value >= _NUM_CLASSES}
    if wrong:
        hint = "they are ignored pixels of a label image" if list(wrong) == [IGNORED] else "are these label ids?"
        first = ", ".join(f"{value}: {count} px" for value, count in list(wrong.items())[:3])
        raise InvalidDataError(f"holds {{{first}}}; expected train ids 0 to {_NUM_CLASSES - 1}, {hint}")
    buffer = io.BytesIO()
    Image.fromarray(CITYSCAPES.to_label_ids(train_ids)).save(buffer, "PNG")
    return buffer.getvalue()
