"""Write the photographs to label next, with their predictions, for a labelling tool: `gap --package`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semseg.errors import InvalidInputError

FOLDER = "label_next"


def check_package(out_dir: Path, images: Sequence[Any], exif: str) -> None:
    """Raise an error if a package exists already, or photographs would not fit into one.

    Args:
        out_dir: of the results.
        images: the photographs. Their names without suffix must differ, and labelling tools turn them by EXIF.
        exif: of the model.
    """
    from semseg.datasets.exporters import check_names, check_unused
    from semseg.datasets.image_files import is_turned

    check_unused(out_dir / FOLDER)
    check_names([image.name.as_posix() for image in images], [image.path for image in images])
    for image in images if exif == "ignore" else ():
        turned = False
        with contextlib.suppress(OSError, SyntaxError, ValueError):  # reported when it is read
            turned = is_turned(image.path)
        if turned:
            raise InvalidInputError(
                f"--package: labelling tools turn {image.path} by EXIF, and this model was trained with "
                "exif: ignore, so that its prediction does not fit; turn the file, or leave the option out",
                code="E-input-value",
            )


def guess_path(out_dir: Path, source: Any) -> Path:
    """Return the path of the index PNG of a prediction that is in the package."""
    return (out_dir / FOLDER / "predicted" / source.name).with_suffix(".png")


def write_package(format_name: str, out_dir: Path, chosen: list, predictor: Any) -> list[str]:
    """Write the chosen photographs and their predictions for a labelling tool, and return lines about it."""
    from semseg.datasets import exporters
    from semseg.datasets.importers.class_lists import Classes
    from semseg.datasets.pairs import Pair
    from semseg.system.wording import for_people

    sources = [image.source for image in chosen]
    pairs = [Pair(source.path, guess_path(out_dir, source)) for source in sources]
    colors = tuple((int(red), int(green), int(blue)) for red, green, blue in predictor.palette)
    classes = Classes(tuple(predictor.classes), colors, "the model")
    names = [source.name.as_posix() for source in sources]
    package = exporters.pack(format_name, out_dir / FOLDER, pairs, names, classes)
    return [for_people(line) for line in package.describe(package.write())]
