"""Recognize configs of MMSegmentation 0.x, and suggest the config of 1.x that replaces them."""

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
"""Key of 0.x to the key of 1.x."""
_ONLY_IN_VERSION_0 = ("data", "lr_config", "optimizer_config", "evaluation", "checkpoint_config")
_OF_VERSION_1 = ("train_dataloader", "optim_wrapper", "train_cfg")
_OLD_NAME = re.compile(r"_\d+x\d+_\d+(k|e)(_|$)")  # 512x1024_40k_cityscapes; 1.x: 40k_cityscapes-512x1024
_BATCH = re.compile(r"\d{1,2}xb?\d{1,2}")  # number of GPUs, pictures per GPU
_FILLER_WORDS = {"schedule", "default", "runtime", "config", "configs", "my", "py", "base", ""}
_HEADS = {  # head of a model: name of its configs
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


def check_version(path: Path) -> None:
    """Check that a config is not written for MMSegmentation 0.x, and has no keys of 0.x, which have no effect.

    Raises:
        ValueError: it is or has; the sentence names the keys, and the config or the keys of 1.x.
    """
    trees, missing = _parse_with_bases(path)
    assigned = {name for tree in trees.values() for name in _assigned(tree)}
    keys = sorted(
        {name for tree in trees.values() for name in set(_assigned(tree)) & set(_ONLY_IN_VERSION_0) - _used(tree)},
        key=_ONLY_IN_VERSION_0.index,
    )
    is_mixed = assigned & set(_OF_VERSION_1)
    if keys and is_mixed:
        pairs = "; ".join(f"{SUCCESSORS[key]} instead of {key}" for key in keys)
        raise InvalidConfigError(
            f"{path}: keys of MMSegmentation 0.x have no effect: write {pairs}", code="E-config-version"
        )
    if keys or (missing and _OLD_NAME.search(path.stem)):
        reason = f"it sets {', '.join(keys)}" if keys else f"its name says so, and its base {missing[0]} is not there"
        tokens = _tokens_of(path, trees, missing)
        raise InvalidConfigError(
            f"{path} is a config of MMSegmentation 0.x ({reason}), and this project reads those of 1.x;"
            f" {_suggest_config(tokens)}",
            code="E-config-version",
        )


def name_in_version_1(stem: str) -> str:
    """Return a hint at the config of the model zoo with nearly the same name as `stem`; empty if there is none."""
    nearest = _nearest_config(_tokens(stem))
    return f"; did you mean {nearest[0]}?" if nearest is not None and nearest[1] > 0.6 else ""


def _suggest_config(tokens: set[str]) -> str:
    nearest = _nearest_config(tokens)
    if nearest is None:
        return "start from a config under configs/, and give your own data as `data`"
    path, similarity = nearest
    return f"the same model is {path}" if similarity == 1 else f"the nearest is {path}"


def _nearest_config(tokens: set[str]) -> tuple[Path, float] | None:
    """Return the config of this project or the model zoo with the most words in common, and their share, 0 to 1."""
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
    package = importlib.util.find_spec("mmseg")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / ".mim/configs"
    paths = [path for path in sorted(folder.glob("*/*.py")) if path.parent.name != "_base_"]
    return tuple((path, frozenset(_tokens(path.stem))) for path in paths)


def _tokens(stem: str) -> set[str]:
    """Return the words of a file name that say which model, data set, schedule and crop size a config has."""
    words = re.split(r"[_\-.]", stem.lower())
    return {word for word in words if word not in _FILLER_WORDS and not _BATCH.fullmatch(word)} | {
        word for word in words if re.fullmatch(r"\d{2,4}x\d{2,4}", word)
    }


def _tokens_of(path: Path, trees: dict[Path, ast.Module], missing: Collection[Path]) -> set[str]:
    """Return the words that say which model a config builds: from its name, else from the content of all its files."""
    if _OLD_NAME.search(path.stem):
        return _tokens(path.stem)
    bases = (*list(trees)[1:], *missing)
    tokens = {word for base in bases for word in _tokens(base.stem)}
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


def _parse_with_bases(path: Path) -> tuple[dict[Path, ast.Module], list[Path]]:
    """Parse a config and its bases; files that are not Python are skipped. Return also the bases that are missing."""
    trees: dict[Path, ast.Module] = {}
    missing: list[Path] = []
    queue = [path]
    while queue:
        file = queue.pop(0)
        if not file.is_file():
            missing.append(file)
            continue
        try:
            trees[file] = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):  # reported when the config is read
            continue
        queue += [base for base in _bases(trees[file], file.parent) if base not in trees]
    return trees, missing


def _bases(tree: ast.Module, folder: Path) -> Iterator[Path]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "_base_":
            constants = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            yield from (folder / text for text in constants if isinstance(text, str) and text.endswith(".py"))


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
    """Return the names that are read."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
