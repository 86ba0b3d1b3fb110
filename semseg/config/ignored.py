"""Make 255 the train id that a config ignores, as `FolderSegDataset` does: in heads, losses, padding and scores."""

from __future__ import annotations

from mmengine.config import Config

from semseg.config.tree import LOADERS, datasets_of, walk
from semseg.labels import IGNORED

_KEYS = ("ignore_index", "ignore_label", "seg_pad_val")


def set_ignored(cfg: Config) -> list[str]:
    """Replace every other value that means "ignored". Modifies `cfg`.

    A value that belongs to the config's own data set, such as 0, is a class in another set: it would not be trained,
    would not be scored, or would be learnt from padding.

    Returns:
        What was replaced, one sentence each.
    """
    places = [(f"model.{name}", cfg.model.get(name)) for name in ("data_preprocessor", "decode_head", "auxiliary_head")]
    places += [(name, cfg.get(name)) for name in ("val_evaluator", "test_evaluator")]
    for name in LOADERS:
        places += [(f"{name}.dataset.pipeline", dataset.get("pipeline")) for dataset in datasets_of(cfg, name)]
    changes = []
    for place, part in places:
        for key, node in list(walk(part, place)):
            for name in _KEYS if isinstance(node, dict) else ():
                value = node.get(name)
                if isinstance(value, int) and value != IGNORED:
                    changes.append(f"{key}.{name} is {IGNORED} instead of {value}")
                    node[name] = IGNORED
            if isinstance(node, dict) and isinstance(node.get("pad_val"), dict):  # of Pad: img, seg
                value = node["pad_val"].get("seg", IGNORED)
                if value != IGNORED:
                    changes.append(f"{key}.pad_val.seg is {IGNORED} instead of {value}")
                    node["pad_val"]["seg"] = IGNORED
    return list(dict.fromkeys(changes))
