"""Read coloured masks: a folder of pictures in which every class has its own colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.dataset_keys import IGNORE, Color, RawValue, Split, hex_color, parse_color
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.shapes import Annotated, Parsed
from semseg.datasets.importers.writing import Picture
from semseg.datasets.masks import census
from semseg.datasets.pairs import find_pairs
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.labels import IGNORED
from semseg.system.folders import TRAINING_SUFFIXES, walk_files
from semseg.system.wording import listing
from semseg.system.worker_pool import run_all

_NUM_SHOWN = 5
_NUM_COLORS_SHOWN = 8


def describe_colors(classes: Classes, label_map: Mapping[str, str], snap: float | None, source: Path) -> DatasetFile:
    """Return rules for `masks.decode_mask`, with the class of each colour.

    Args:
        classes: with the colours of the masks.
        label_map: `#rrggbb` -> class or `ignore`, for further colours.
        snap: Euclidean RGB distance within which an unknown colour becomes the nearest known one.
        source: the folder of the masks.

    Raises:
        ValueError: a label of the map is not a colour, or its class does not exist.
    """
    colors: dict[RawValue, int] = dict.fromkeys(classes.ignored_colors, IGNORED)
    for key, name in label_map.items():
        train_id = classes.train_id(name)
        if train_id is None:
            raise InvalidInputError(
                f"`label_map` {key}={name}: no class {name!r} in {classes.origin}; expected a class or {IGNORE}",
                code="E-input-value",
            )
        try:
            colors[parse_color(key)] = train_id
        except ValueError:
            raise InvalidInputError(
                f"`label_map` {key}={name}: the labels of coloured masks are colours, such as '#ff0000={name}'",
                code="E-input-value",
            ) from None
    return DatasetFile(
        path=source,
        root=Path(),
        splits={},
        encoding="rgb",
        classes=classes.names,
        palette=classes.colors,
        label_map=colors,
        snap=snap,
    )


def parse(
    source: Path, images_dir: Path | None, mask_suffix: Sequence[str] = (), image_suffix: Sequence[str] = ()
) -> tuple[Parsed, list[Path]]:
    """Pair masks and images by their names without suffix.

    Args:
        source: folder of the masks.
        images_dir: folder of the images.
        mask_suffix: ends of mask names; default: .png.
        image_suffix: ends of image names; default: those of the usual formats.

    Returns:
        The pairs, and the masks that have no image.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no files with these suffixes, `images_dir` is not given, or masks are not images.
    """
    if images_dir is None:
        raise InvalidInputError(
            f"no photographs for the masks in {source}; give their folder with `images_dir`", code="E-input-required"
        )
    pairing = find_pairs(
        DatasetFile(
            path=source,
            root=Path(),
            splits={"train": Split(images=images_dir, masks=source)},
            encoding="rgb",
            classes=(),
            palette=(),
            label_map={},
            image_suffix=tuple(image_suffix) or TRAINING_SUFFIXES,
            mask_suffix=tuple(mask_suffix) or (".png",),
        ),
        "train",
    )
    images = []
    for image_path, mask_path, _ in pairing.pairs:
        assert mask_path is not None  # without `unlabelled` all pairs have masks
        name = mask_path.relative_to(source).with_suffix("").as_posix()
        images.append(annotate(name, image_path, mask_path))
    return Parsed(tuple(images)), list(pairing.masks_without_image)


def annotate(name: str, image_path: Path, mask_path: Path) -> Annotated:
    """Return an image with its mask, whose size is read.

    Raises:
        ValueError: the mask is not an image.
    """
    try:
        with Image.open(mask_path) as mask:
            size = mask.size
    except OSError:
        raise InvalidDataError(f"{mask_path} is not a readable image", code="E-data-unreadable") from None
    return Annotated(name, (image_path,), size, mask_path=mask_path)


def list_colors(source: Path, mask_suffix: Sequence[str] = ()) -> str:
    """Return a text with the most frequent colours of the first masks in a folder, for an error message.

    Raises:
        FileNotFoundError: no such folder, or no mask in it.
    """
    suffixes = tuple(suffix.lower() for suffix in mask_suffix) or (".png",)
    paths = (
        sorted(path for path in walk_files(source) if path.name.lower().endswith(suffixes)) if source.is_dir() else []
    )
    if not paths:
        raise MissingDataError(
            f"no mask {' or '.join(suffixes)} under {source}; give its folder, or `mask_suffix`", code="E-data-missing"
        )
    counts: Counter = Counter()
    for path in paths[:_NUM_SHOWN]:
        with Image.open(path) as mask:
            counts.update({color: num_px for num_px, color in mask.convert("RGB").getcolors(1 << 24)})
    return listing((_name(color) for color, _ in counts.most_common()), _NUM_COLORS_SHOWN)


def check_colors(
    pictures: Sequence[Picture],
    described: DatasetFile,
    origin: str,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Check that every pixel of the masks has the colour of a class, or with `encoding: ids` a known value.

    Returns:
        A note with the number of pixels whose colour is replaced by the nearest one, if there are any.

    Raises:
        ValueError: pixels have other colours or values; the message has their numbers, and the nearest classes.
    """
    masks = [picture.mask_path for picture in pictures if picture.mask_path is not None]
    results = run_all(partial(_count_unknown, described), masks, num_processes, on_progress)
    return judge_counts(results, described, origin)


def judge_counts(results: Sequence[tuple[Mapping, int]], described: DatasetFile, origin: str) -> list[str]:
    """Raise an error if masks hold values or colours without a class.

    Args:
        results: for each mask: unknown value or colour -> pixels, and the number of pixels that are snapped.
        described: the rules of the masks.
        origin: of the classes, for the message.

    Returns, Raises:
        as `check_colors`.
    """
    unknown, in_masks = Counter(), Counter()
    for counts, _ in results:
        unknown.update(counts)
        in_masks.update(counts.keys())
    if unknown:
        stores_ids = described.encoding == "ids"
        described_colors = [
            f"{_format(color, stores_ids)} ({num_px} px in {in_masks[color]} of {len(results)} masks"
            + (")" if stores_ids else f", {_nearest(color, described)})")
            for color, num_px in unknown.most_common(_NUM_SHOWN)
        ]
        noun = f"{'value' if stores_ids else 'colour'}{'s are' if len(unknown) > 1 else ' is'}"
        first = _format(unknown.most_common(1)[0][0], stores_ids)
        advice = f"give for example `label_map` '{first}={IGNORE}'"
        raise InvalidDataError(
            f"{len(unknown)} {noun} not in {origin}: {listing(described_colors, _NUM_SHOWN)}; "
            + (advice if stores_ids else f"add them there, {advice}, or `snap` DISTANCE"),
            code="E-data-mask-values",
        )
    num_snapped = sum(snapped for _, snapped in results)
    return [f"snapped: {num_snapped} px to the nearest colour"] if num_snapped else []


def _count_unknown(described: DatasetFile, mask_path: Path) -> tuple[dict, int]:
    counted = census(mask_path, described)
    return counted.unknown, sum(counted.snapped.values())


def _format(value: Color | int, is_id: bool) -> str:
    return str(value) if is_id else _name(value)


def _name(color: Color | int) -> str:
    return hex_color(color if isinstance(color, tuple) else (color,) * 3)


def _nearest(color: Color, described: DatasetFile) -> str:
    known = dict(zip(described.palette, described.classes, strict=True))
    names = (*described.classes, *[IGNORE] * (IGNORED + 1))
    for key, train_id in described.label_map.items():
        if isinstance(key, tuple):
            known[key] = names[min(train_id, len(names) - 1)]

    def distance(other: Color) -> float:
        return sum((a - b) ** 2 for a, b in zip(color, other, strict=True)) ** 0.5

    best = min(known, key=distance)
    return f"nearest {known[best]} {hex_color(best)}, {distance(best):.0f} away"
