"""Why the model says what it says about one photograph: pictures and numbers in a folder."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semseg.analysis.class_activation import Cams, explain_score, require_grad_cam
from semseg.errors import InvalidInputError
from semseg.inference.predictor import Predictor
from semseg.inference.probabilities import entropy, kind_of_scores, margin, to_probabilities
from semseg.inference.reading import read_image
from semseg.system.atomic import atomic_path
from semseg.visualization import drawing, maps

_LEAST_SHARE = 0.005  # of the picture: a class with less, and less probable, is not drawn
_LEAST_DOUBTED = 0.01  # of the picture: a smaller class is not chosen as the one to ask about
_MOST_MAPS = 12


class Doubt(NamedTuple):
    """What a model thinks of each pixel.

    Attributes:
        train_ids: predicted, uint8, shape (height, width).
        probabilities: float32, shape (num_classes, height, width), sum 1.
        entropy: float32, shape (height, width), 0 to 1.
        margin: float32, shape (height, width), 0 to 1.
    """

    train_ids: np.ndarray
    probabilities: np.ndarray
    entropy: np.ndarray
    margin: np.ndarray


def explain(
    predictor: Predictor,
    image_path: Path,
    out_dir: Path,
    class_name: str | None = None,
    box: tuple[int, int, int, int] | None = None,
) -> dict:
    """Write what a model thinks of a photograph, and where one decision comes from.

    Writes into `out_dir`: `prediction.jpg`, `probabilities.png` (a sheet), `probability/<train id>_<class>.png`
    (8-bit grey: 255 times the probability), `entropy.png`, `margin.png`, `grad_cam.png`, and last `explain.json`.

    Args:
        predictor: the model.
        image_path: of the photograph.
        out_dir: made if missing; maps that an earlier call left in `probability/` are replaced.
        class_name: asked about; default: the most probable one in the box, or without a box the least certain of
            those on at least 1 % of the picture (smallest mean margin).
        box: the region asked about: x, y, width, height in pixels of the photograph; default: the pixels
            predicted as the class, or if there are none the 1 % where it is most probable.

    Returns:
        What `explain.json` holds.

    Raises:
        ValueError: no such class, a box outside the photograph, an unreadable file, a model without scores per
            class, or the library for Grad-CAM is missing.
    """
    require_grad_cam()
    kind = kind_of_scores(predictor.model)
    classes = list(predictor.classes)
    if class_name is not None and class_name not in classes:
        near = difflib.get_close_matches(class_name, classes, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(classes)}"
        raise InvalidInputError(f"no class {class_name!r} in this model; {hint}")
    try:
        image = read_image(image_path, predictor.exif, predictor.bits)
    except ValueError as error:
        raise InvalidInputError(f"{image_path}: {error}") from None
    region = None if box is None else _region_of(box, image.shape[:2])

    doubt = _doubt(predictor, image, kind)
    if region is None:
        asked = classes.index(class_name) if class_name else _least_certain(doubt)
        region, meaning = _region_of_class(doubt, asked)
    else:
        asked = classes.index(class_name) if class_name else int(_means(doubt, region).argmax())
        meaning = "box"
    cams = explain_score(predictor, image, asked, region)

    account = _account(doubt, classes, region)
    account["region"] = {"box": list(box) if box else None, "meaning": meaning, **account["region"]}
    account = {
        "schema": "semseg.explain/1",
        "image": str(image_path),
        "height": image.shape[0],
        "width": image.shape[1],
        "probabilities": kind,
        **account,
        "grad_cam": {
            "class": classes[asked],
            "layer": cams.layer,
            "is_empty": not (cams.grad_cam.any() or cams.hires_cam.any()),
        },
    }
    shown = _classes_to_show(doubt, region, asked)
    _write_pictures(predictor, image, doubt, region, shown, out_dir)
    _write_cams(image, cams, region, account, out_dir)
    account["files"] = ["prediction.jpg", "probabilities.png", "entropy.png", "margin.png", "grad_cam.png"]
    account["files"] += [f"probability/{_map_name(i, classes)}" for i in shown]
    for path in set((out_dir / "probability").glob("*.png")):
        if f"probability/{path.name}" not in account["files"]:
            path.unlink()
    with atomic_path(out_dir / "explain.json") as temporary:
        temporary.write_text(json.dumps(account, indent=1) + "\n", encoding="utf-8")
    return account


def _doubt(predictor: Predictor, image: np.ndarray, kind: str) -> Doubt:
    scores, train_ids = predictor.scores(image)
    probabilities = to_probabilities(scores, kind)
    if not len(predictor.classes) == len(probabilities) > 1:
        raise InvalidInputError(
            f"the model scores {len(probabilities)} classes and knows {len(predictor.classes)} names; "
            "expected the same number, two or more"
        )
    return Doubt(train_ids, probabilities, entropy(probabilities), margin(probabilities))


def _region_of(box: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray:
    x, y, width, height = box
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > size[1] or y + height > size[0]:
        raise InvalidInputError(
            f"--region {x},{y},{width},{height} is not inside the photograph, {size[1]} wide and {size[0]} high; "
            "expected X,Y of the upper left corner, then width and height"
        )
    region = np.zeros(size, bool)
    region[y : y + height, x : x + width] = True
    return region


def _means(doubt: Doubt, region: np.ndarray) -> np.ndarray:
    """Return the mean probability of each class in a region, without a copy of all of them."""
    return np.array([probability[region].mean() for probability in doubt.probabilities])


def _least_certain(doubt: Doubt) -> int:
    """Return the class whose pixels lead by the smallest margin, of those that cover enough of the picture."""
    counts = np.bincount(doubt.train_ids.ravel(), minlength=len(doubt.probabilities))
    margins = np.bincount(doubt.train_ids.ravel(), doubt.margin.ravel(), minlength=len(counts)) / np.maximum(counts, 1)
    margins[counts < min(_LEAST_DOUBTED * doubt.train_ids.size, counts.max())] = np.inf
    return int(margins.argmin())


def _region_of_class(doubt: Doubt, asked: int) -> tuple[np.ndarray, str]:
    region = doubt.train_ids == asked
    if region.any():
        return region, "predicted as the class"
    probability = doubt.probabilities[asked].ravel()
    num_pixels = max(1, probability.size // 100)
    region.ravel()[np.argpartition(probability, -num_pixels)[-num_pixels:]] = True
    return region, "most probable 1 %, as it is predicted nowhere"


def _classes_to_show(doubt: Doubt, region: np.ndarray, asked: int) -> list[int]:
    """Return the classes that play a part, the most probable first."""
    means = doubt.probabilities.mean(axis=(1, 2))
    here = _means(doubt, region)
    order = [i for i in np.argsort(-means).tolist() if means[i] >= _LEAST_SHARE]
    must = {asked, *np.argsort(-here)[:3].tolist()}
    most = [i for i in order if i not in must][: _MOST_MAPS - len(must)]
    return sorted({*must, *most}, key=lambda i: -means[i])


def _account(doubt: Doubt, classes: Sequence[str], region: np.ndarray) -> dict:
    counts = np.bincount(doubt.train_ids.ravel(), minlength=len(classes))
    here = _means(doubt, region)
    counts_here = np.bincount(doubt.train_ids[region], minlength=len(classes))
    shares, shares_here = counts / counts.sum(), counts_here / counts_here.sum()
    margins = np.bincount(doubt.train_ids.ravel(), doubt.margin.ravel(), minlength=len(classes))
    return {
        "mean_entropy": _number(doubt.entropy.mean()),
        "mean_margin": _number(doubt.margin.mean()),
        "classes": [
            {
                "class": name,
                "predicted_share": _number(shares[i]),
                "mean_probability": _number(doubt.probabilities[i].mean()),
                "mean_margin_where_predicted": _number(margins[i] / counts[i]) if counts[i] else None,
            }
            for i, name in enumerate(classes)
        ],
        "region": {
            "share_of_picture": _number(region.mean()),
            "mean_entropy": _number(doubt.entropy[region].mean()),
            "mean_margin": _number(doubt.margin[region].mean()),
            "top": [
                {"class": classes[i], "mean_probability": _number(here[i]), "predicted_share": _number(shares_here[i])}
                for i in np.argsort(-here)[:3].tolist()
            ],
        },
    }


def _number(value: float) -> float:
    return round(float(value), 6)


def _map_name(index: int, classes: Sequence[str]) -> str:
    return f"{index:02d}_{re.sub(r'[^A-Za-z0-9-]+', '_', classes[index])}.png"


def _write_pictures(
    predictor: Predictor,
    image: np.ndarray,
    doubt: Doubt,
    region: np.ndarray,
    shown: Sequence[int],
    out_dir: Path,
) -> None:
    classes, palette = predictor.classes, predictor.palette
    present, counts = np.unique(doubt.train_ids, return_counts=True)
    order = np.argsort(-counts)
    names = [f"{classes[present[i]]} {100 * counts[i] / doubt.train_ids.size:.3g} %" for i in order]
    picture = maps.outline_region(drawing.overlay(image, doubt.train_ids, palette, 0.6), region)
    font_px = max(12, image.shape[1] // 60)
    foot = drawing.draw_legend(names, [palette[present[i]] for i in order], image.shape[1], font_px)
    with atomic_path(out_dir / "prediction.jpg") as temporary:
        Image.fromarray(np.vstack([picture, foot])).save(temporary, quality=92)
    for i in shown:
        grey = drawing.to_uint8(doubt.probabilities[i])
        with atomic_path(out_dir / "probability" / _map_name(i, classes)) as temporary:
            Image.fromarray(grey).save(temporary)
    sheet = {f"{classes[i]}   mean {doubt.probabilities[i].mean():.3f}": doubt.probabilities[i] for i in shown}
    title = "probability of each class"
    _save(maps.draw_heat_sheet(sheet, title, "probability", "viridis", region=region), out_dir / "probabilities.png")
    title = f"entropy, mean {doubt.entropy.mean():.2f}: bright where several classes share the probability"
    scale = f"entropy / log {len(classes)}"
    _save(maps.draw_heat_sheet({"": doubt.entropy}, title, scale, "magma", region=region), out_dir / "entropy.png")
    title = f"margin, mean {doubt.margin.mean():.2f}: bright where the second class is close behind the first"
    scale = "probability of the first less that of the second class"
    _save(maps.draw_heat_sheet({"": doubt.margin}, title, scale, "magma_r", region=region), out_dir / "margin.png")


def _write_cams(image: np.ndarray, cams: Cams, region: np.ndarray, account: dict, out_dir: Path) -> None:
    top = ", ".join(f"{entry['class']} {entry['mean_probability']:.2f}" for entry in account["region"]["top"])
    does = "nothing speaks" if account["grad_cam"]["is_empty"] else "what speaks"
    title = f"{does} for {account['grad_cam']['class']} in the outlined region (there: {top})"
    panels = {
        "Grad-CAM: where the features are that speak for it": cams.grad_cam,
        "HiResCAM: from where the score of the region comes": cams.hires_cam,
    }
    sheet = maps.draw_heat_sheet(panels, title, "share of the strongest, over the photograph", "inferno", image, region)
    _save(sheet, out_dir / "grad_cam.png")


def _save(picture: np.ndarray, path: Path) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)
