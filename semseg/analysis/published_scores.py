"""The scores that MMSegmentation has published, from the metafiles in its installed package."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Published(NamedTuple):
    """What MMSegmentation has published for a config.

    Attributes:
        data: name of the data set, on whose validation images the scores were measured.
        miou: in percent, at one scale.
        miou_tta: in percent, at several scales and flipped; None if it was not measured.
        training_gib: memory of a GPU in the training; None if it was not measured.
    """

    data: str
    miou: float
    miou_tta: float | None
    training_gib: float | None


@functools.cache
def published_scores() -> dict[str, Published]:
    """Return what is published, by the name of the config; empty if MMSegmentation is installed without metafiles.

    A name that occurs with different scores is left out.
    """
    spec = importlib.util.find_spec("mmseg")
    if spec is None or spec.origin is None:
        return {}
    scores: dict[str, Published] = {}
    ambiguous: set[str] = set()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 10 times as fast
    for path in sorted((Path(spec.origin).parent / ".mim/configs").glob("*/metafile.yaml")):
        content = yaml.load(path.read_text(), loader)
        for entry in content.get("Models") or []:
            published = _read_entry(entry)
            if published is None:
                continue
            name = Path(entry.get("Config") or entry["Name"]).stem
            if scores.setdefault(name, published) != published:
                ambiguous.add(name)
    return {name: published for name, published in scores.items() if name not in ambiguous}


def _read_entry(entry: dict[str, Any]) -> Published | None:
    results = entry.get("Results")
    for result in results if isinstance(results, list) else [results]:
        metrics = (result or {}).get("Metrics") or {}
        if isinstance(metrics.get("mIoU"), (int, float)):
            metadata = entry.get("Metadata") or {}
            tta, memory, data = metrics.get("mIoU(ms+flip)"), metadata.get("Memory (GB)"), str(result["Dataset"])
            return Published(
                "Cityscapes" if data.startswith("#") else data,  # a comment in OCRNet's file took its place
                float(metrics["mIoU"]),
                float(tta) if isinstance(tta, (int, float)) else None,
                float(memory) if isinstance(memory, (int, float)) else None,
            )
    return None
