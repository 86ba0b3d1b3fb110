"""Pack predictions in the format of the Cityscapes server: label ids, one PNG per image, in one zip archive."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from semseg.datasets.truncation import find_damage
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import CITYSCAPES, IGNORED
from semseg.system.atomic import atomic_path
from semseg.system.folders import walk_files

_IMAGE_SUFFIX = "_leftImg8bit.png"
_STEM = re.compile(r"([^_]+_\d+_\d+)(?:_.*)?")  # city, sequence, frame; the server ignores the rest
_NUM_CLASSES = len(CITYSCAPES.classes)


def pack(
    predictions_dir: str | Path,
    out_path: str | Path,
    root: str | Path,
    split: str = "test",
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the archive to submit.

    Args:
        predictions_dir: holds train ids (0 to 18) as gray or palette PNGs named after the images, with or
            without `_leftImg8bit`, in sub-folders or not; other files are ignored.
        out_path: the archive, `.zip`; appears complete or not at all.
        root: the dataset, with `leftImg8bit/<split>/<city>/*_leftImg8bit.png`.
        split: each of its images must have one prediction.
        on_progress: called with the number of images done and the number of all.

    Returns:
        The number of images.

    Raises:
        FileNotFoundError: a folder is missing or empty.
        ValueError: a prediction is missing, unknown or duplicate, has another size than its image, or holds other
            values than train ids.
    """
    on_progress = on_progress or (lambda done, total: None)
    out_path = Path(out_path)
    if out_path.suffix != ".zip":
        raise InvalidInputError(
            f"{out_path} does not end in .zip, which the server asks for; rename it", code="E-input-value"
        )
    image_paths = _find_images(Path(root), split)
    predicted_paths = _pair(image_paths, Path(predictions_dir), split)
    _check_headers(image_paths, predicted_paths)
    problems: list[str] = []
    code_of_first = ""
    with atomic_path(out_path) as temporary_path:
        with zipfile.ZipFile(temporary_path, "w") as archive:  # PNGs do not get smaller
            for num_done, (name, path) in enumerate(predicted_paths.items(), start=1):
                try:
                    content = _encode_label_ids(path)
                except InvalidDataError as error:
                    problems.append(f"{path} {error}")
                    code_of_first = code_of_first or error.code
                else:
                    # zipfile's date of 1980: the same predictions give the same archive
                    archive.writestr(zipfile.ZipInfo(f"{name}_labelIds.png"), content)
                on_progress(num_done, len(predicted_paths))
        if problems:
            raise InvalidDataError(
                f"{len(problems)} of {len(predicted_paths)} predictions cannot be used, first {problems[0]}",
                code=code_of_first,
            )
    return len(predicted_paths)


def _find_images(root: Path, split: str) -> dict[str, Path]:
    folder = root / "leftImg8bit" / split
    if not folder.is_dir():
        raise MissingDataError(
            f"no folder {folder}; the images there say which predictions are needed, see `root` and `split`",
            code="E-data-missing",
        )
    paths = sorted(path for path in walk_files(folder) if path.name.endswith(_IMAGE_SUFFIX))
    if not paths:
        raise MissingDataError(
            f"no *{_IMAGE_SUFFIX} under {folder}; unpack leftImg8bit_trainvaltest.zip in {root}", code="E-data-missing"
        )
    return {path.name.removesuffix(_IMAGE_SUFFIX): path for path in paths}


def _pair(image_paths: dict[str, Path], predictions_dir: Path, split: str) -> dict[str, Path]:
    """Find the prediction of every image."""
    if not predictions_dir.is_dir():
        raise MissingDataError(
            f"no folder {predictions_dir}; tools/test.py --out DIR writes predictions", code="E-data-missing"
        )
    predicted_paths: dict[str, Path] = {}
    unknown = []
    for path in sorted(path for path in walk_files(predictions_dir) if path.suffix == ".png"):
        match = _STEM.fullmatch(path.stem)
        if not match or match[1] not in image_paths:
            unknown.append(path)
        elif match[1] in predicted_paths:
            raise InvalidDataError(
                f"{match[1]} has two predictions, {predicted_paths[match[1]]} and {path}; remove one",
                code="E-data-predictions",
            )
        else:
            predicted_paths[match[1]] = path
    if not predicted_paths and not unknown:
        raise MissingDataError(
            f"no PNG in {predictions_dir}; tools/test.py --out DIR writes predictions", code="E-data-missing"
        )
    if unknown:
        raise InvalidDataError(
            f"{len(unknown)} of {len(unknown) + len(predicted_paths)} predictions belong to no image of {split}, "
            f"first {unknown[0]}; move them away, or choose another `split`",
            code="E-data-predictions",
        )
    missing = [name for name in image_paths if name not in predicted_paths]
    if missing:
        raise InvalidDataError(
            f"{len(missing)} of {len(image_paths)} images of {split} have no prediction, "
            f"first {image_paths[missing[0]]}; predict them all",
            code="E-data-predictions",
        )
    return {name: predicted_paths[name] for name in image_paths}


def _check_headers(image_paths: dict[str, Path], predicted_paths: dict[str, Path]) -> None:
    """Check sizes and modes, which is fast, before all pixels are read."""
    wrong_sizes, wrong_modes = [], []
    for name, path in predicted_paths.items():
        mode, size = _read_header(path)
        _, image_size = _read_header(image_paths[name])
        if mode not in ("L", "P"):
            wrong_modes.append(f"{path} ({mode})")
        elif size != image_size:
            wrong_sizes.append(f"{path}: {size[0]}x{size[1]}, the image has {image_size[0]}x{image_size[1]}")
    if wrong_modes:
        raise InvalidDataError(
            f"{len(wrong_modes)} of {len(predicted_paths)} predictions are neither gray nor palette PNGs, "
            f"first {wrong_modes[0]}; pack the train ids, not the coloured overlays",
            code="E-data-encoding",
        )
    if wrong_sizes:
        raise InvalidDataError(
            f"{len(wrong_sizes)} of {len(predicted_paths)} predictions have another size than their image, "
            f"first {wrong_sizes[0]}; predict at full size",
            code="E-data-size",
        )


def _read_header(path: Path) -> tuple[str, tuple[int, int]]:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.mode, image.size
    except (OSError, SyntaxError, ValueError):
        raise InvalidDataError(f"{path} is not a readable PNG; write it again", code="E-data-unreadable") from None


def _encode_label_ids(path: Path) -> bytes:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            train_ids = np.asarray(image)
        damage = find_damage(path.read_bytes())  # Pillow does not compare the checksums of the pixels
    except (OSError, SyntaxError, ValueError):
        train_ids, damage = np.empty(0, np.uint8), "not a PNG"
    if damage:
        raise InvalidDataError("is truncated or damaged; write it again", code="E-data-unreadable")
    counts = np.bincount(train_ids.ravel(), minlength=256)
    wrong = {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value >= _NUM_CLASSES}
    if wrong:
        hint = "they are ignored pixels of a label image" if list(wrong) == [IGNORED] else "are these label ids?"
        first = ", ".join(f"{value}: {count} px" for value, count in list(wrong.items())[:3])
        raise InvalidDataError(
            f"holds {{{first}}}; expected train ids 0 to {_NUM_CLASSES - 1}, {hint}", code="E-data-mask-values"
        )
    buffer = io.BytesIO()
    Image.fromarray(CITYSCAPES.to_label_ids(train_ids)).save(buffer, "PNG")
    return buffer.getvalue()
