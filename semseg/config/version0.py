"""Configs of MMSegmentation 0.x: what tells them from those of 1.x, and which config stands for them."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

from semseg.config.recipes import recipes, shown_path
from semseg.errors import InvalidConfigError

SUCCESSORS = {
    "data": "train_dataloader, val_dataloader, test_dataloader",
    "data.samples_per_gpu": "train_dataloader.batch_size",
    "data.workers_per_gpu": "train_dataloader.num_workers",
    "lr_config": "param_scheduler",
    "optimizer": "optim_wrapper.optimizer",
    "optimizer_config": "optim_wrapper",
    "runner": "train_cfg.max_iters",
    "total_iters": "train_cfg.max_iters",
    "total_epochs": "train_cfg.max_epochs",
    "evaluation": "train_cfg.val_interval, val_evaluator",
    "evaluation.interval": "train_cfg.val_interval",
    "evaluation.metric": "val_evaluator.iou_metrics",
    "checkpoint_config": "default_hooks.checkpoint",
    "log_config": "default_hooks.logger",
    "dist_params": "env_cfg.dist_cfg",
    "cudnn_benchmark": "env_cfg.cudnn_benchmark",
    "fp16": "optim_wrapper.type=AmpOptimWrapper",
}
"""Key of 0.x: what 1.x says instead."""
_CERTAIN = ("data", "lr_config", "optimizer_config", "evaluation", "checkpoint_config")  # in no config of 1.x
_OF_VERSION_1 = ("train_dataloader", "optim_wrapper", "train_cfg")
_OLD_NAME = re.compile(r"_\d+x\d+_\d+(k|e)(_|$)")  # 512x1024_40k_cityscapes; 1.x: 40k_cityscapes-512x1024
_BATCH = re.compile(r"\d{1,2}xb?\d{1,2}")  # GPUs and pictures on each
_SAYS_NOTHING = {"schedule", "default", "runtime", "config", "configs", "my", "py", "base", ""}
_HEADS = {  # the head of a model, where a file is named in another way
    "PSPHead": "pspnet",
    "ASPPHead": "deeplabv3",
    "DepthwiseSeparableASPPHead": "deeplabv3plus",
    "UPerHead": "upernet",
    "FCNHead": "fcn",
    "SegformerHead": "segformer",
    "OCRHead": "ocrnet",
    "FPNHead": "fpn",
    "PointHead": "pointrend",
}
_DATASETS = {"CityscapesDataset": "cityscapes", "ADE20KDataset": "ade20k", "PascalVOCDataset": "voc12aug"}


def refuse_version_0(path: Path) -> None:
    """Refuse a config that is written for MMSegmentation 0.x, or whose keys of 0.x would change nothing.

    Raises:
        ValueError: it is; the sentence names the keys, and the config of 1.x that stands for it.
    """
    trees, missing = _chain(path)
    assigned = {name for tree in trees.values() for name in _assigned(tree)}
    keys = sorted(
        {name for tree in trees.values() for name in set(_assigned(tree)) & set(_CERTAIN) - _used(tree)},
        key=_CERTAIN.index,
    )
    is_mixed = assigned & set(_OF_VERSION_1)
    if keys and is_mixed:
        pairs = "; ".join(f"{SUCCESSORS[key]} instead of {key}" for key in keys)
        raise InvalidConfigError(f"{path}: keys of MMSegmentation 0.x have no effect: write {pairs}")
    if keys or (missing and _OLD_NAME.search(path.stem)):
        signs = f"it sets {', '.join(keys)}" if keys else f"its name says so, and its base {missing[0]} is not there"
        tokens = _tokens_of(path, trees, missing)
        raise InvalidConfigError(
            f"{path} is a config of MMSegmentation 0.x ({signs}), and this project reads those of 1.x;"
            f" {_stand_in(tokens)}"
        )


def name_in_version_1(stem: str) -> str:
    """Return a hint at the config of the model zoo whose name says the same as `stem`; empty if there is none."""
    found = _nearest(_tokens(stem))
    return f"; did you mean {found[0]}?" if found is not None and found[1] > 0.6 else ""


def _stand_in(tokens: set[str]) -> str:
    found = _nearest(tokens)
    if found is None:
        return "start from a config under configs/, and give your data with --data"
    path, similarity = found
    return f"the same model is {path}" if similarity == 1 else f"the nearest is {path}"


def _nearest(tokens: set[str]) -> tuple[Path, float] | None:
    """Return the config of this project or of the model zoo that shares most words, and how many it shares, 0 to 1."""
    ours = [(Path(shown_path(path)), _tokens(path.stem)) for path in recipes().values()]
    best: tuple[Path, float] | None = None
    for path, words in (*ours, *_model_zoo()):
        shared = len(tokens & words)
        similarity = shared / len(tokens | words)
        if shared >= 2 and (best is None or similarity > best[1]):
            best = (path, similarity)
    return best


@lru_cache(maxsize=1)
def _model_zoo() -> tuple[tuple[Path, frozenset[str]], ...]:
    folder = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
    paths = [path for path in sorted(folder.glob("*/*.py")) if path.parent.name != "_base_"]
    return tuple((path, frozenset(_tokens(path.stem))) for path in paths)


def _tokens(stem: str) -> set[str]:
    words = re.split(r"[_\-.]", stem.lower())
    return {word for word in words if word not in _SAYS_NOTHING and not _BATCH.fullmatch(word)} | {
        word for word in words if re.fullmatch(r"\d{2,4}x\d{2,4}", word)
    }


def _tokens_of(path: Path, trees: dict[Path, ast.Module], missing: Collection[Path]) -> set[str]:
    """Return the words that say which model a config is: of its name, else of its bases and what they build."""
    if _OLD_NAME.search(path.stem):
        return _tokens(path.stem)
    tokens = set().union(*(_tokens(base.stem) for base in (*list(trees)[1:], *missing)))
    source = "\n".join(map(ast.unparse, trees.values()))
    head = re.search(r"decode_head=(?:dict\(|\[dict\()type='(\w+)'", source)
    dataset = re.search(r"\b(\w+Dataset)'", source)
    tokens |= {word for word in (head and _HEADS.get(head[1]), dataset and _DATASETS.get(dataset[1])) if word}
    if "backbone=dict(type='ResNet" in source and (depth := re.search(r"\bdepth=(\d+)", source)):
        tokens |= {f"r{depth[1]}", "d8"}
    if crop := re.search(r"\bcrop_size ?= ?\((\d+), (\d+)\)", source):
        tokens.add(f"{crop[1]}x{crop[2]}")
    if iters := re.search(r"\bmax_iters=(\d+)000\b", source):
        tokens.add(f"{iters[1]}k")
    return tokens or _tokens(path.stem)


def _chain(path: Path) -> tuple[dict[Path, ast.Module], list[Path]]:
    """Parse a config and its bases as far as that works; return also the bases that are not there."""
    trees: dict[Path, ast.Module] = {}
    missing: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if not file.is_file():
            missing.append(file)
            continue
        try:
            trees[file] = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):  # the reader of configs will say it
            continue
        waiting += [base for base in _bases(trees[file], file.parent) if base not in trees]
    return trees, missing


def _bases(tree: ast.Module, folder: Path) -> Iterator[Path]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "_base_":
            strings = [one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
            yield from (folder / text for text in strings if isinstance(text, str) and text.endswith(".py"))


def _assigned(tree: ast.Module) -> list[str]:
    """Return the top-level names that are set to a dict."""
    return [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Call, ast.Dict))
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def _used(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
