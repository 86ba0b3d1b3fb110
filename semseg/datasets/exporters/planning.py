"""Check a request to export masks for a labelling tool."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.exporters.items import make_items, names_below, pair_folders, pair_split
from semseg.datasets.exporters.package import FORMATS, IMAGES, Package, check_unused
from semseg.datasets.importers.class_lists import Classes, read_classes
from semseg.datasets.pairs import Pair
from semseg.errors import InvalidInputError
from semseg.system.atomic import check_folder
from semseg.system.folders import absolute_path


@dataclass(frozen=True)
class Request:
    """What to export, and where to write it; `tools/dataset.py export --help` explains each."""

    format: str  # one of FORMATS
    source: Path  # a folder of index PNGs, or a dataset.yaml
    out_dir: Path
    images_dir: Path | None = None
    classes: str | None = None
    split: str | None = None
    copy: bool = False
    num_processes: int = 1


def plan(request: Request) -> Package:
    """Find masks, images and classes, and check that they fit together; nothing is written.

    Raises:
        FileNotFoundError: a folder, file or the class list is missing.
        ValueError: masks and images do not fit together, or an option has no effect or is missing.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from semseg.datasets.exporters import Request, plan
        >>> from semseg.datasets.index_png import write_index_png
        >>> write_index_png(Path("pred/a.png"), np.ones((96, 128), np.uint8), [(128, 64, 128), (0, 0, 0)])
        >>> package = plan(Request("coco", Path("pred"), Path("package"), Path("photographs"), "dataset.yaml"))
        >>> package.write().files
        ('annotations/instances_default.json', 'classes.yaml')
    """
    if request.format not in FORMATS:
        raise InvalidInputError(
            f"`format` {request.format}: expected one of {', '.join(FORMATS)}", code="E-input-value"
        )
    if request.num_processes < 1:
        raise InvalidInputError(f"{request.num_processes} processes; expected 1 or more", code="E-input-range")
    check_folder(request.out_dir, "out_dir")
    check_unused(request.out_dir)
    is_yaml = request.source.suffix in (".yaml", ".yml") or (request.source / "dataset.yaml").is_file()
    if is_yaml:
        for option, value in (("images_dir", request.images_dir), ("classes", request.classes)):
            if value is not None:
                raise InvalidInputError(
                    f"`{option}` has no effect with a dataset.yaml, which names it; leave it out",
                    code="E-input-no-effect",
                )
        rules = read_dataset_file(request.source)
        pairs, images_dir = pair_split(rules, request.split or "train")
        classes, notes = Classes(rules.classes, rules.palette, str(rules.path)), []
    else:
        if request.split is not None:
            raise InvalidInputError(
                f"`split` belongs to a dataset.yaml, not to the folder {request.source}; leave it out",
                code="E-input-no-effect",
            )
        for option, value in (("images_dir", request.images_dir), ("classes", request.classes)):
            if value is None:
                raise InvalidInputError(
                    f"{request.source} is a folder of masks, which needs `{option}`; a dataset.yaml needs none",
                    code="E-input-required",
                )
        assert request.images_dir is not None and request.classes is not None
        classes, images_dir = read_classes(request.classes), request.images_dir
        pairs, num_without = pair_folders(request.source, images_dir)
        rules = _index_rules(request.source, classes)
        notes = [f"images without a mask, left out: {num_without}"] if num_without else []
    items = tuple(make_items(pairs, names_below(pairs, images_dir), rules.exif))
    return Package(
        request.format,
        request.out_dir,
        items,
        classes,
        images_dir,
        request.copy,
        request.num_processes,
        tuple(notes),
        rules,
    )


def pack(format_name: str, out_dir: Path, pairs: Sequence[Pair], names: Sequence[str], classes: Classes) -> Package:
    """Return a package of index PNGs and copies of their images, in the given order.

    Args:
        format_name: one of FORMATS.
        out_dir: folder of the package.
        pairs: images and their index PNGs.
        names: of the images in the package: relative paths with slashes and suffix.
        classes: of the masks.

    Raises:
        ValueError: files do not fit together.
    """
    items = tuple(make_items(pairs, names, "apply"))
    return Package(format_name, out_dir, items, classes, out_dir / IMAGES, True, 1, (), _index_rules(out_dir, classes))


def pack_labels(format_name: str, out_dir: Path, pairs: Sequence[Pair], rules: DatasetFile) -> Package:
    """Return a package of images of a dataset.yaml and their labels, with copies of the images, in the given order.

    Args:
        format_name: one of FORMATS.
        out_dir: folder of the package.
        pairs: of the set.
        rules: of the set.

    Raises:
        ValueError: files do not fit together.
    """
    images_dir = Path(os.path.commonpath([absolute_path(pair.image_path).parent for pair in pairs]))
    items = tuple(make_items(pairs, names_below(pairs, images_dir), rules.exif))
    classes = Classes(rules.classes, rules.palette, str(rules.path))
    return Package(format_name, out_dir, items, classes, images_dir, True, 1, (), rules)


def _index_rules(path: Path, classes: Classes) -> DatasetFile:
    """Return the rules of index PNGs: values are train ids, and 255 is not labelled."""
    return DatasetFile(path, path, {}, "ids", classes.names, classes.colors, {})
