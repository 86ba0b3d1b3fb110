"""Read a data set that Hugging Face's `datasets` has written with `save_to_disk`: Arrow files, read with pyarrow alone.

A set is a folder with dataset_info.json (the features), state.json (the names of the Arrow files) and these files; a
`DatasetDict` is a folder with dataset_dict.json and one such folder per split. An image is a struct of `bytes` (the
file) and `path`; a mask is an image too, or nested lists of numbers. No code of a set is executed.

Source: `Dataset.save_to_disk`, `DatasetDict.save_to_disk` and `features/image.py` of datasets.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers.whole_sets import missing_layout
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.system.wording import listing

_SPLIT_OF = {"validation": "val", "valid": "val", "dev": "val", **dict(zip(SPLITS, SPLITS, strict=True))}
_IMAGE_NAMES = ("image", "img", "photo", "pixel_values")
_MASK_NAMES = (
    "label", "labels", "mask", "annotation", "semantic_segmentation", "segmentation_mask", "segmentation", "seg_map",
)  # fmt: skip


class Row(NamedTuple):
    """One image with its mask: a row of an Arrow file."""

    name: str
    arrow_path: Path
    index: int

    def read_image(self, column: str) -> bytes | None:
        """Return the content of an image file; None if the cell is empty.

        Raises:
            FileNotFoundError: the cell holds only the path of a file that is missing.
        """
        cell = _read_table(self.arrow_path).column(column)[self.index].as_py()
        if cell is None or cell.get("bytes") is not None:
            return None if cell is None else cell["bytes"]
        path = self.arrow_path.parent / str(cell.get("path"))
        if not path.is_file():
            raise MissingDataError(
                f"{self.arrow_path}: row {self.index} of {column} is not in the file, only its path {path}, which is"
                " missing; save the data set with the images in it",
                code="E-data-missing",
            )
        return path.read_bytes()

    def read_mask(self, column: str) -> Image.Image | None:
        """Return a mask; None if the cell is empty.

        Raises:
            FileNotFoundError: as in `read_image`.
            ValueError: it is neither an image nor a table of integers.
        """
        if is_image(_read_table(self.arrow_path).schema.field(column).type):
            content = self.read_image(column)
            if content is None:
                return None
            try:
                image = Image.open(io.BytesIO(content))
                image.load()
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise InvalidDataError(
                    f"{self.describe(column)} is not a readable image ({error})", code="E-data-unreadable"
                ) from error
            return _name(image, self.describe(column))
        rows = _read_table(self.arrow_path).column(column)[self.index].as_py()
        if rows is None:
            return None
        try:
            values = np.array(rows)
        except ValueError:  # rows of different lengths
            values = np.zeros(0)
        if values.ndim != 2 or values.dtype.kind not in "iub" or not values.size:
            raise InvalidDataError(
                f"{self.describe(column)} is not a table of integers (rows of pixels)", code="E-data-encoding"
            )
        return _name(Image.fromarray(values.astype(np.int32)), self.describe(column))

    def describe(self, column: str) -> str:
        """Return where a cell is, for messages."""
        return f"{self.arrow_path} row {self.index} {column}"


class SavedSet(NamedTuple):
    """A set on the disk.

    Attributes:
        splits: the rows of train, val and test.
        image_column: column of the images.
        mask_column: column of the masks.
        classes: names by id, from the features; empty if they do not have them.
        notes: which splits were left out.
    """

    splits: dict[str, tuple[Row, ...]]
    image_column: str
    mask_column: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def read_saved_set(source: Path, image_column: str | None = None, mask_column: str | None = None) -> SavedSet:
    """Find the splits, columns and classes; no image is decoded.

    Args:
        source: the folder that `save_to_disk` wrote.
        image_column: column of the images; default: by type and name.
        mask_column: column of the masks; default: by type and name.

    Raises:
        FileNotFoundError: no such folder, or files of it are missing.
        ValueError: pyarrow is not installed, the files are damaged, or the columns are not clear.
    """
    folders, notes = _find_folders(source)
    splits, schema, features = {}, None, {}
    for split, folder in folders.items():
        rows: list[Row] = []
        for entry in _read_json(folder / "state.json").get("_data_files") or ():
            arrow_path = folder / Path(entry["filename"]).name
            table = _read_table(arrow_path)
            schema = schema or table.schema
            rows += [Row(f"{len(rows) + index:06d}", arrow_path, index) for index in range(table.num_rows)]
        features = features or _read_json(folder / "dataset_info.json").get("features") or {}
        if rows:
            splits[split] = tuple(rows)
    if schema is None:
        raise InvalidDataError(f"{source}: no Arrow file in {listing(folders.values())}", code="E-data-empty")
    image, mask = _choose_columns(source, schema, features, image_column, mask_column)
    return SavedSet(splits, image, mask, tuple(_find_names(features.get(mask)) or ()), tuple(notes))


def is_image(kind: Any) -> bool:
    """Return whether an Arrow type is that of images: a struct of bytes and path."""
    return str(kind).startswith("struct<") and {field.name for field in kind} >= {"bytes", "path"}


def _name(image: Image.Image, place: str) -> Image.Image:
    """Give an image the name under which messages about masks mention it."""
    image.__dict__["filename"] = place
    return image


def _find_folders(source: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the folder of each split, and notes about splits with other names."""
    if (source / "dataset_dict.json").is_file():
        names = _read_json(source / "dataset_dict.json").get("splits") or []
        folders = {_SPLIT_OF[name]: source / name for name in names if name in _SPLIT_OF}
        others = [name for name in names if name not in _SPLIT_OF]
        if not folders:
            raise InvalidDataError(
                f"{source} has the splits {listing(names)}; expected {', '.join(_SPLIT_OF)}", code="E-data-split"
            )
        return folders, [f"left out: the splits {', '.join(others)}"] if others else []
    if (source / "state.json").is_file():
        return {"train": source}, []
    raise missing_layout(
        source, "a data set of Hugging Face", ["dataset_dict.json", "state.json, as save_to_disk writes them"]
    )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingDataError(f"no {path}, which save_to_disk writes", code="E-data-missing")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidDataError(f"{path}: not JSON ({error})", code="E-data-annotation") from None
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path}: expected an object", code="E-data-annotation")
    return content


@lru_cache(maxsize=64)
def _read_table(path: Path) -> Any:
    """Map an Arrow file into memory; its pages are read when they are needed."""
    try:
        import pyarrow as pa
    except ImportError:
        raise InvalidDataError(
            "Arrow files are read with pyarrow, which is not installed; run pip install -e .[huggingface]",
            code="E-data-package",
        ) from None
    if not path.is_file():
        raise MissingDataError(f"no file {path}, which its state.json names", code="E-data-missing")
    try:
        return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidDataError(f"{path} is not an Arrow stream ({error})", code="E-data-unreadable") from None


def _choose_columns(
    source: Path, schema: Any, features: dict, image_column: str | None, mask_column: str | None
) -> tuple[str, str]:
    """Return the columns of images and masks."""
    other_structs = {
        name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Audio"
    }
    images = [field.name for field in schema if is_image(field.type) and field.name not in other_structs]
    masks = [*images, *(field.name for field in schema if _num_lists(field.type) == 2)]
    for option, given, known in (("image_column", image_column, images), ("label_column", mask_column, masks)):
        if given is not None and given not in known:
            raise InvalidInputError(
                f"`{option}` {given}: {source} has no such column; expected {' or '.join(known) or 'none'}",
                code="E-input-value",
            )
    image = image_column or _choose([name for name in images if name != mask_column], _IMAGE_NAMES)
    mask = mask_column or _choose([name for name in masks if name != image], _MASK_NAMES)
    if image is None or mask is None:
        described = ", ".join(f"{field.name} ({str(field.type)[:40]})" for field in schema)
        option = "label_column" if image else "image_column"
        raise InvalidInputError(
            f"{source}: which column holds the {'masks' if image else 'images'}? give `{option}`; it has {described}",
            code="E-input-required",
        )
    return image, mask


def _choose(columns: list[str], usual_names: tuple[str, ...]) -> str | None:
    """Return the column with a usual name, or the only one."""
    named = [name for usual in usual_names for name in columns if name.casefold() == usual]
    return named[0] if named else columns[0] if len(columns) == 1 else None


def _num_lists(kind: Any) -> int:
    """Return how many lists an Arrow type nests."""
    kind = getattr(kind, "storage_type", kind)  # Array2D
    is_list = str(kind).startswith(("list<", "large_list<", "fixed_size_list<"))
    return 1 + _num_lists(kind.value_type) if is_list else 0


def _find_names(feature: Any) -> list[str] | None:
    """Return the names of a ClassLabel that is somewhere in a feature."""
    if isinstance(feature, dict):
        if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
            return [str(name) for name in feature["names"]]
        feature = list(feature.values())
    if isinstance(feature, list):
        return next((names for part in feature if (names := _find_names(part))), None)
    return None
