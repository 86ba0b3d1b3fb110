"""Explain the prediction for one photograph: pictures and numbers in a folder."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.analysis.class_activation import Cams, explain_score, require_grad_cam
from semseg.errors import InvalidInputError
from semseg.inference.predictor import Predictor
from semseg.inference.probabilities import entropy, kind_of_scores, margin, to_probabilities
from semseg.inference.reading import read_photograph
from semseg.system.atomic import atomic_path
from semseg.visualization import drawing, maps
from semseg.visualization.picture_files import save_jpeg, save_picture

_MIN_PROBABILITY = 0.005  # mean over the picture; the map of a less probable class is not drawn
_MIN_SHARE = 0.01  # of the picture; a smaller class is not chosen as the class to explain
_MAX_MAPS = 12


class Uncertainty(NamedTuple):
    """The prediction for each pixel, and how certain it is.

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
    region: tuple[int, int, int, int] | None = None,
) -> dict:
    """Write the probabilities and uncertainties of a photograph, and class activation maps of one class.

    Writes into `out_dir`: `prediction.jpg`, `probabilities.png` (a sheet), `probability/<train id>_<class>.png`
    (8-bit grey: 255 times the probability), `entropy.png`, `margin.png`, `grad_cam.png`, and last `explain.json`.

    Args:
        predictor: the model.
        image_path: of the photograph.
        out_dir: created if missing; maps of an earlier call in `probability/` are replaced.
        class_name: the class to explain; default: the most probable class in the region, or without a region the least
            certain class (smallest mean margin) of those with at least 1 % of the picture.
        region: the region to explain: x, y, width, height in pixels of the photograph; default: the pixels
            predicted as the class, or if there are none the 1 % where it is most probable.

    Returns:
        The content of `explain.json`.

    Raises:
        ValueError: there is no such class, the region is not inside the photograph, the file is unreadable, the model
            has no scores per class, or the library for Grad-CAM is missing.
    """
    require_grad_cam()
    kind = kind_of_scores(predictor.model)
    classes = list(predictor.classes)
    if class_name is not None and class_name not in classes:
        near = difflib.get_close_matches(class_name, classes, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(classes)}"
        raise InvalidInputError(f"no class {class_name!r} in this model; {hint}", code="E-input-class")
    try:
        photograph = read_photograph(image_path, predictor.exif, bits=predictor.bits, bands=predictor.bands)
    except ValueError as error:
        raise InvalidInputError(f"{image_path}: {error}", code=getattr(error, "code", "E-input-unreadable")) from None
    image = photograph.image
    height, width = image.shape[:2]
    pixels = None if region is None else _pixels_of(region, height, width)

    uncertainty = _predict(predictor, image, kind)
    if pixels is None:
        class_index = classes.index(class_name) if class_name else _least_certain(uncertainty)
        pixels, meaning = _pixels_of_class(uncertainty, class_index)
    else:
        class_index = classes.index(class_name) if class_name else int(_means(uncertainty, pixels).argmax())
        meaning = "box"
    cams = explain_score(predictor, image, class_index, pixels)

    result = _measure(uncertainty, classes, pixels)
    result["region"] = {"box": list(region) if region else None, "meaning": meaning, **result["region"]}
    result = {
        "schema": "semseg.explain/1",
        "image": str(image_path),
        "height": height,
        "width": width,
        "probabilities": kind,
        **result,
        "grad_cam": {
            "class": classes[class_index],
            "layer": cams.layer,
            "is_empty": not (cams.grad_cam.any() or cams.hires_cam.any()),
        },
    }
    shown = _classes_to_show(uncertainty, pixels, class_index)
    _write_pictures(predictor, photograph.rgb, uncertainty, pixels, shown, out_dir)
    _write_cams(photograph.rgb, cams, pixels, result, out_dir)
    result["files"] = ["prediction.jpg", "probabilities.png", "entropy.png", "margin.png", "grad_cam.png"]
    result["files"] += [f"probability/{_map_name(i, classes)}" for i in shown]
    for path in set((out_dir / "probability").glob("*.png")):
        if f"probability/{path.name}" not in result["files"]:
            path.unlink()
    with atomic_path(out_dir / "explain.json") as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _predict(predictor: Predictor, image: np.ndarray, kind: str) -> Uncertainty:
    scores, train_ids = predictor.scores(image)
    probabilities = to_probabilities(scores, kind)
    if not len(predictor.classes) == len(probabilities) > 1:
        raise InvalidInputError(
            f"the model scores {len(probabilities)} classes and has {len(predictor.classes)} class names; "
            "expected the same number, two or more",
            code="E-input-class-count",
        )
    return Uncertainty(train_ids, probabilities, entropy(probabilities), margin(probabilities))


def _pixels_of(region: tuple[int, int, int, int], image_height: int, image_width: int) -> np.ndarray:
    x, y, width, height = region
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image_width or y + height > image_height:
        raise InvalidInputError(
            f"`region` {x},{y},{width},{height} is not inside the photograph, {image_width} wide and {image_height} "
            "high; expected X,Y of the upper left corner, then width and height",
            code="E-input-range",
        )
    pixels = np.zeros((image_height, image_width), bool)
    pixels[y : y + height, x : x + width] = True
    return pixels


def _means(uncertainty: Uncertainty, region: np.ndarray) -> np.ndarray:
    """Return the mean probability of each class in a region; one class at a time, to save memory."""
    return np.array([probability[region].mean() for probability in uncertainty.probabilities])


def _least_certain(uncertainty: Uncertainty) -> int:
    """Return the class with the smallest mean margin, of those that cover enough of the picture."""
    counts = np.bincount(uncertainty.train_ids.ravel(), minlength=len(uncertainty.probabilities))
    margins = np.bincount(
        uncertainty.train_ids.ravel(), uncertainty.margin.ravel(), minlength=len(counts)
    ) / np.maximum(counts, 1)
    margins[counts < min(_MIN_SHARE * uncertainty.train_ids.size, counts.max())] = np.inf
    return int(margins.argmin())


def _pixels_of_class(uncertainty: Uncertainty, class_index: int) -> tuple[np.ndarray, str]:
    pixels = uncertainty.train_ids == class_index
    if pixels.any():
        return pixels, "predicted as the class"
    probability = uncertainty.probabilities[class_index].ravel()
    num_pixels = max(1, probability.size // 100)
    pixels.ravel()[np.argpartition(probability, -num_pixels)[-num_pixels:]] = True
    return pixels, "most probable 1 %, as it is predicted nowhere"


def _classes_to_show(uncertainty: Uncertainty, region: np.ndarray, class_index: int) -> list[int]:
    """Return the classes whose maps are drawn, the most probable first."""
    means = uncertainty.probabilities.mean(axis=(1, 2))
    here = _means(uncertainty, region)
    order = [i for i in _largest_first(means) if means[i] >= _MIN_PROBABILITY]
    always = {class_index, *_largest_first(here)[:3]}
    rest = [i for i in order if i not in always][: _MAX_MAPS - len(always)]
    return sorted({*always, *rest}, key=lambda i: -means[i])


def _measure(uncertainty: Uncertainty, classes: Sequence[str], region: np.ndarray) -> dict:
    counts = np.bincount(uncertainty.train_ids.ravel(), minlength=len(classes))
    here = _means(uncertainty, region)
    counts_here = np.bincount(uncertainty.train_ids[region], minlength=len(classes))
    shares, shares_here = counts / counts.sum(), counts_here / counts_here.sum()
    margins = np.bincount(uncertainty.train_ids.ravel(), uncertainty.margin.ravel(), minlength=len(classes))
    return {
        "mean_entropy": _number(uncertainty.entropy.mean()),
        "mean_margin": _number(uncertainty.margin.mean()),
        "classes": [
            {
                "class": name,
                "predicted_share": _number(shares[i]),
                "mean_probability": _number(uncertainty.probabilities[i].mean()),
                "mean_margin_where_predicted": _number(margins[i] / counts[i]) if counts[i] else None,
            }
            for i, name in enumerate(classes)
        ],
        "region": {
            "share_of_picture": _number(region.mean()),
            "mean_entropy": _number(uncertainty.entropy[region].mean()),
            "mean_margin": _number(uncertainty.margin[region].mean()),
            "top": [
                {"class": classes[i], "mean_probability": _number(here[i]), "predicted_share": _number(shares_here[i])}
                for i in _largest_first(here)[:3]
            ],
        },
    }


def _largest_first(values: np.ndarray) -> list[int]:
    """Return the indices of values, largest first."""
    return [int(i) for i in np.argsort(-values)]


def _number(value: float) -> float:
    return round(float(value), 6)


def _map_name(index: int, classes: Sequence[str]) -> str:
    return f"{index:02d}_{re.sub(r'[^A-Za-z0-9-]+', '_', classes[index])}.png"


def _write_pictures(
    predictor: Predictor,
    image: np.ndarray,
    uncertainty: Uncertainty,
    region: np.ndarray,
    shown: Sequence[int],
    out_dir: Path,
) -> None:
    classes, palette = predictor.classes, predictor.palette
    present, counts = np.unique(uncertainty.train_ids, return_counts=True)
    order = np.argsort(-counts)
    names = [f"{classes[present[i]]} {100 * counts[i] / uncertainty.train_ids.size:.3g} %" for i in order]
    picture = maps.outline_region(drawing.overlay(image, uncertainty.train_ids, palette, 0.6), region)
    font_px = max(12, image.shape[1] // 60)
    foot = drawing.draw_legend(names, [palette[present[i]] for i in order], image.shape[1], font_px)
    save_jpeg(np.vstack([picture, foot]), out_dir / "prediction.jpg")
    for i in shown:
        grey = drawing.to_uint8(uncertainty.probabilities[i])
        save_picture(grey, out_dir / "probability" / _map_name(i, classes))
    sheet = {
        f"{classes[i]}   mean {uncertainty.probabilities[i].mean():.3f}": uncertainty.probabilities[i] for i in shown
    }
    title = "probability of each class"
    sheet_picture = maps.draw_heat_sheet(sheet, title, "probability", "viridis", region=region)
    save_picture(sheet_picture, out_dir / "probabilities.png")
    title = f"entropy, mean {uncertainty.entropy.mean():.2f}: bright where several classes share the probability"
    scale = f"entropy / log {len(classes)}"
    save_picture(
        maps.draw_heat_sheet({"": uncertainty.entropy}, title, scale, "magma", region=region), out_dir / "entropy.png"
    )
    title = f"margin, mean {uncertainty.margin.mean():.2f}: bright where the first two classes are similarly probable"
    scale = "probability of the first class minus that of the second"
    save_picture(
        maps.draw_heat_sheet({"": uncertainty.margin}, title, scale, "magma_r", region=region), out_dir / "margin.png"
    )


def _write_cams(image: np.ndarray, cams: Cams, region: np.ndarray, result: dict, out_dir: Path) -> None:
    top = ", ".join(f"{entry['class']} {entry['mean_probability']:.2f}" for entry in result["region"]["top"])
    evidence = "no evidence" if result["grad_cam"]["is_empty"] else "evidence"
    title = f"{evidence} for {result['grad_cam']['class']} in the outlined region (there: {top})"
    panels = {
        "Grad-CAM: where its features are": cams.grad_cam,
        "HiResCAM: which pixels contribute to the score of the region": cams.hires_cam,
    }
    sheet = maps.draw_heat_sheet(panels, title, "share of the maximum", "inferno", image, region)
    save_picture(sheet, out_dir / "grad_cam.png")
