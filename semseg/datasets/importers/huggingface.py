"""Read a data set that Hugging Face's `datasets` has written with `save_to_disk`: Arrow files, read with pyarrow alone.

A set is a folder with dataset_info.json (the features), state.json (the names of the Arrow files) and these files; a
`DatasetDict` is a folder with dataset_dict.json and one such folder per split. An image is a struct of `bytes` (the
file) and `path`; a mask is an image too, or nested lists of numbers. No code of a set is executed.

Source: `Dataset.save_to_disk`, `DatasetDict.save_to_disk` and `features/image.py` of datasets.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.importers.class_choice import labels_of
from semseg.datasets.importers.class_lists import Classes
from semseg.datasets.importers.layouts import missing_layout
from semseg.datasets.importers.parsed import Annotated, Label, Parsed, Request
from semseg.datasets.importers.shapes import Size
from semseg.datasets.importers.stored_values import count_values
from semseg.errors import InvalidDataError, InvalidInputError, MissingDataError
from semseg.system.wording import listing

_SPLIT_OF = {"validation": "val", "valid": "val", "dev": "val", **dict(zip(SPLITS, SPLITS, strict=True))}
_IMAGE_NAMES = ("image", "img", "photo", "pixel_values")
_MASK_NAMES = (
    "label", "labels", "mask", "annotation", "semantic_segmentation", "segmentation_mask", "segmentation", "seg_map",
)  # fmt: skip
_NUM_SHOWN = 8


class Cell(NamedTuple):
    """An image or a mask in an Arrow file."""

    path: Path
    index: int
    column: str

    def __str__(self) -> str:
        return f"{self.path} row {self.index} {self.column}"

    def is_empty(self) -> bool:
        """Return whether there is nothing in it."""
        return not self._scalar().is_valid

    def read(self) -> bytes:
        """Return the content of an image file.

        Raises:
            FileNotFoundError: the cell holds only the path of a file that is missing.
        """
        content = self._scalar().as_py()
        if content["bytes"] is not None:
            return content["bytes"]
        path = self.path.parent / str(content["path"])
        if not path.is_file():
            raise MissingDataError(
                f"{self.path}: row {self.index} of {self.column} is not in the file, only its path {path}, which is"
                " missing; save the data set with the images in it",
                code="E-data-missing",
            )
        return path.read_bytes()

    def open(self) -> Image.Image:
        """Return a mask.

        Raises:
            FileNotFoundError: as in `read`.
            ValueError: it is neither an image nor a table of integers.
        """
        if is_image(self._scalar().type):
            try:
                image = Image.open(io.BytesIO(self.read()))
                image.load()
            except MissingDataError:
                raise
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise InvalidDataError(f"{self} is not a readable image ({error})", code="E-data-unreadable") from error
        else:
            try:
                values = np.array(self._scalar().as_py())
            except ValueError:  # rows of different lengths
                values = np.zeros(0)
            if values.ndim != 2 or values.dtype.kind not in "iub" or not values.size:
                raise InvalidDataError(f"{self} is not a table of integers (rows of pixels)", code="E-data-encoding")
            image = Image.fromarray(values.astype(np.int32))
        image.__dict__["filename"] = str(self)  # the name under which messages about masks mention it
        return image

    def size(self) -> Size:
        """Return the width and height of a mask, without decoding it.

        Raises:
            FileNotFoundError, ValueError: as in `open`.
        """
        if is_image(self._scalar().type):
            try:
                with Image.open(io.BytesIO(self.read())) as image:
                    return image.size
            except MissingDataError:
                raise
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                return self.open().size  # an error that says where
        rows = self._scalar().values
        return (len(rows[0]), len(rows)) if len(rows) and rows[0].is_valid else self.open().size

    def _scalar(self) -> Any:
        return _read_table(self.path).column(self.column)[self.index]


def read_saved_set(request: Request, classes: Classes | None) -> Parsed:
    """Find the splits, columns and classes.

    Args:
        request: with the folder that `save_to_disk` wrote, and the columns of images and masks; default: by type and
            name.
        classes: of the masks; None: those of the features.

    Raises:
        FileNotFoundError: no such folder, or files of it are missing.
        ValueError: pyarrow is not installed, the files are damaged, or the columns or classes are not clear.
    """
    source = request.source
    folders, notes = _find_folders(source)
    rows: list[tuple[str, str, Path, int]] = []  # split, name, file, index in it
    schema, features = None, {}
    for split, folder in folders.items():
        num_rows = 0
        for entry in _read_json(folder / "state.json").get("_data_files") or ():
            path = folder / Path(entry["filename"]).name
            table = _read_table(path)
            schema = schema or table.schema
            rows += [(split, f"{num_rows + index:06d}", path, index) for index in range(table.num_rows)]
            num_rows += table.num_rows
        features = features or _read_json(folder / "dataset_info.json").get("features") or {}
    if schema is None:
        raise InvalidDataError(f"{source}: no Arrow file in {listing(folders.values())}", code="E-data-empty")
    image_column, mask_column = _choose_columns(source, schema, features, request.image_column, request.label_column)
    images, empty = [], []
    for split, name, path, index in rows:
        image, mask = Cell(path, index, image_column), Cell(path, index, mask_column)
        if image.is_empty() or mask.is_empty():
            empty.append(image)
        else:
            images.append(Annotated(name, (), mask.size(), mask=mask, embedded=image, split=split))
    if empty:
        notes.append(
            f"left out: {len(empty)} rows without image or mask, first row {empty[0].index} of {empty[0].path}"
        )
    masks = [image.mask for image in images if isinstance(image.mask, Cell) and image.split == images[0].split]
    encoding = "rgb" if masks and masks[0].open().mode in ("RGB", "RGBA") else "ids"
    return Parsed(
        tuple(images),
        encoding=encoding,
        labels=_list_labels(source, classes, _find_names(features.get(mask_column)) or [], masks, encoding),
        notes=tuple(notes),
        title=str(source),
        headline=f"images of the column {image_column}, masks of {mask_column}",
        num_skipped=len(empty),
    )


def _list_labels(
    source: Path, classes: Classes | None, names: list[str], masks: Sequence[Cell], encoding: str
) -> tuple[Label, ...]:
    """Return the labels of the class list that is given, or else of the features."""
    if classes is not None:
        return labels_of(classes, encoding)
    if encoding == "ids" and names:
        return tuple(Label(value, None if name == "ignore" else name) for value, name in enumerate(names))
    shown = count_values((mask.open() for mask in masks[:_NUM_SHOWN]), encoding)
    raise InvalidInputError(
        f"{source} does not name the classes of its masks; give `classes`, a file with a name per line"
        f"{' and its colour' if encoding == 'rgb' else ''}; the first masks hold"
        f" {listing((f'{value} ({num_px} px)' for value, num_px in shown), _NUM_SHOWN)}",
        code="E-input-required",
    )


def is_image(kind: Any) -> bool:
    """Return whether an Arrow type is that of images: a struct of bytes and path."""
    return str(kind).startswith("struct<") and {field.name for field in kind} >= {"bytes", "path"}


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
