"""`dataset.yaml`: where a labelled set lies, which classes it has, and how its masks store them."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semseg.datasets.band_rules import KEYS, BandRules, read_band_rules
from semseg.datasets.bands import BAND_SUFFIXES
from semseg.datasets.bit_depth import check_bits
from semseg.datasets.dataset_keys import (
    ENCODINGS,
    Color,
    RawValue,
    Split,
    check_keys,
    choose,
    read_classes,
    read_label_map,
    read_snap,
    read_splits,
    read_suffixes,
    read_unlabelled,
)
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import TRAINING_SUFFIXES
from semseg.system.objects.addresses import refuse_address
from semseg.system.path_lists import read_list_text

_REQUIRED = ("splits", "encoding", "classes")
_OPTIONAL = (
    *("root", "image_suffix", "mask_suffix", "roi_suffix", "label_map", "unlabelled", "exif", "bits", "snap"),
    *KEYS,
)


@dataclass(frozen=True, eq=False)
class DatasetFile:
    """The checked content of a dataset.yaml.

    Attributes:
        path: the file itself.
        root: folder of the set.
        splits: by name (train, val, test); only those that the file has.
        encoding: `ids` (stored values are positions in `classes`, 255 is ignored), `palette` (the colours of
            a palette PNG), or `rgb`.
        classes: names, in the order of their train ids.
        palette: RGB, in the order of the train ids.
        label_map: stored value or colour -> train id, 255 for ignored; overrides everything else. A value
            is an index in a palette PNG, and a grey in an rgb mask.
        image_suffix: ends of image names, in any case; an image and its mask share the rest of the name.
        mask_suffix: as `image_suffix`.
        roi_suffix: as `image_suffix`, of the regions of interest.
        unlabelled: train id of all pixels of a photograph that has no mask; None: such a photograph is an error.
        exif: `apply` turns images and masks by their EXIF orientation, `ignore` takes both as stored.
        bits: how many of the 16 bits of a value are in use, in photographs that store 16; None: as many as the
            photograph states, or all.
        bands: which bands of a picture are read, and how they are scaled; None: photographs.
        snap: Euclidean RGB distance within which a colour that is not in the list becomes the nearest in it.
    """

    path: Path
    root: Path
    splits: dict[str, Split]
    encoding: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    label_map: dict[RawValue, int]
    image_suffix: tuple[str, ...] = TRAINING_SUFFIXES
    mask_suffix: tuple[str, ...] = (".png",)
    roi_suffix: tuple[str, ...] = (".png",)
    unlabelled: int | None = None
    exif: str = "apply"
    bits: int | None = None
    snap: float | None = None
    bands: BandRules | None = None


def read_dataset_file(path: str | Path) -> DatasetFile:
    """Read a dataset.yaml, or the one in a folder, without looking into the folders that it names.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a key or value is wrong; the message names the file, the key, and what to do.

    Example:
        >>> from semseg.datasets.dataset_file import read_dataset_file
        >>> dataset = read_dataset_file("dataset.yaml")
        >>> dataset.classes, dataset.encoding
        (('road', 'other'), 'ids')
        >>> sorted(dataset.splits)
        ['train', 'val']
    """
    refuse_address(path, "data")
    path = Path(path)
    if path.is_dir():
        path /= "dataset.yaml"
    if not path.is_file():
        raise MissingDataError(f"no dataset file {path}", code="E-data-missing")
    try:
        status = path.stat()
        return _read_once(path, path.absolute(), status.st_size, status.st_mtime_ns)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path} line {mark.line + 1}" if mark else f"{path}"
        raise InvalidDataError(
            f"{where} is not YAML: {getattr(error, 'problem', None) or error}", code="E-data-yaml"
        ) from error
    except RecursionError as error:
        raise InvalidDataError(
            f"{path}: its values are nested too deeply, or hold themselves (&name … *name)", code="E-data-yaml"
        ) from error
    except ValueError as error:
        raise InvalidDataError(f"{path}: {error}", code=getattr(error, "code", "E-data-yaml")) from error


@functools.lru_cache(maxsize=64)
def _read_once(path: Path, absolute_path: Path, num_bytes: int, mtime_ns: int) -> DatasetFile:
    """Read a file once in a process, and again after it was edited: load_config and for_training need it 17 times."""
    return _parse(path, yaml.safe_load(read_list_text(path)))


def _refuse_addresses(value: Any, key: str) -> None:
    """Raise a ValueError if a value, or a value in it, is an address of object storage."""
    if isinstance(value, str):
        refuse_address(value, key)
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            _refuse_addresses(part, key)


def _parse(path: Path, content: Any) -> DatasetFile:
    if not isinstance(content, dict):
        raise InvalidDataError(
            f"expected the keys {', '.join(_REQUIRED)}, found {type(content).__name__}", code="E-data-yaml"
        )
    check_keys(content, (*_REQUIRED, *_OPTIONAL), "key")
    for key in ("root", "splits"):
        _refuse_addresses(content.get(key), key)
    missing = [key for key in _REQUIRED if content.get(key) is None]
    if missing:
        raise InvalidDataError(
            f"{' and '.join(missing)} missing; {', '.join(_REQUIRED)} must be given", code="E-data-yaml"
        )
    encoding = choose(content, "encoding", ENCODINGS)
    classes, palette = read_classes(content["classes"], encoding)
    optional: dict[str, Any] = {}
    for key in ("image_suffix", "mask_suffix", "roi_suffix"):
        if content.get(key) is not None:
            optional[key] = read_suffixes(key, content[key])
    if bands := read_band_rules(content):
        optional = {"image_suffix": (*TRAINING_SUFFIXES, *BAND_SUFFIXES), **optional, "bands": bands}
    if content.get("unlabelled") is not None:
        optional["unlabelled"] = read_unlabelled(content["unlabelled"], classes)
    if content.get("exif") is not None:
        optional["exif"] = choose(content, "exif", ("apply", "ignore"))
    if content.get("bits") is not None:
        optional["bits"] = check_bits(content["bits"])
    if content.get("snap") is not None:
        optional["snap"] = read_snap(content["snap"], encoding)
    root = path.parent / Path(str(content.get("root") or ".")).expanduser()
    normalized = Path(os.path.normpath(root))  # without `..`; behind a link this may be another folder
    return DatasetFile(
        path=path,
        root=normalized if normalized.resolve() == root.resolve() else root,
        splits=read_splits(content["splits"]),
        encoding=encoding,
        classes=classes,
        palette=palette,
        label_map=read_label_map(content.get("label_map") or {}, classes, encoding),
        **optional,
    )
