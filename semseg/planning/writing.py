"""Write a plan as a config: each value below the sentence that gives its reason."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

from semseg.config.recipes import find_recipe, recipes_dir
from semseg.errors import MissingConfigError
from semseg.planning.choice import Choice
from semseg.planning.networks import Network

_WIDTH = 118
_FLIPS = {
    "none": [],
    "horizontal": ['dict(type="RandomFlip", prob=0.5)'],
    "all": ['dict(type="RandomFlip", prob=[0.25, 0.25, 0.25], direction=["horizontal", "vertical", "diagonal"])'],
    # a turn by 0, 90, 180 or 270 degrees and a reflection; with the flip before, all eight positions are drawn
    "turns": [
        'dict(type="RandomFlip", prob=0.5)',
        'dict(type="RandomRotFlip", rotate_prob=0.0, flip_prob=1.0)',
    ],
}


def recipe_path(network: Network, out: Path) -> str:
    """Return the path of a recipe for the `_base_` of a config: relative to it within this repository, else absolute.

    Raises:
        FileNotFoundError: the recipes are not installed.
    """
    path = find_recipe(network.recipe)
    if path is None:
        raise MissingConfigError(f"no config {network.recipe} in {recipes_dir()}", code="E-config-missing")
    if out.resolve().is_relative_to(recipes_dir().resolve().parent):
        return Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()
    return path.resolve().as_posix()


def config_text(
    choices: Mapping[str, Choice],
    *,
    out: Path,
    command: str,
    dataset_file: str,
    num_classes: int,
    has_test: bool,
    largest_share: float,
    is_one_size: bool,
) -> str:
    """Return the text of the config.

    Args:
        choices: by name; those of all rules.
        out: where the file will be.
        command: that makes the plan, for the head of the file.
        dataset_file: the dataset.yaml to train on.
        num_classes: of the set.
        has_test: whether it has a split `test`; else the test reads `val`.
        largest_share: of the pixels that one class has.
        is_one_size: whether all pictures have the size of the scale already.
    """
    value = {name: choice.value for name, choice in choices.items()}
    network: Network = value["network"]
    mean, std = value["normalisation"]
    interval = value["iterations"] // value["validations"]
    low, high = value["scale range"]
    # a crop that one class fills is drawn again up to ten times, unless most of the set looks like that
    varied = 0.75 if largest_share < 0.75 else 1.0
    resize = [] if is_one_size else ['dict(type="Resize", scale=scale, keep_ratio=True)']
    train_steps = [
        'dict(type="LoadImageFromFile")',
        'dict(type="LoadTrainIds")',
        f'dict(type="RandomResize", scale=scale, ratio_range=({low}, {high}), keep_ratio=True)',
        f'dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio={varied})',
        *_FLIPS[value["flips"]],
        *_distortion(value["colours"]),
        'dict(type="PackSegInputs")',
    ]
    test_steps = [
        'dict(type="LoadImageFromFile")',
        *resize,
        'dict(type="LoadTrainIds")',
        'dict(type="PackSegInputs")',
    ]
    train_set = 'dict(type="FolderSegDataset", dataset_file=dataset_file, split="train", pipeline=train_pipeline)'
    if value["rare-class crops"]:
        dataset = f'dict(_delete_=True, type="RareClassDataset", share={value["rare-class crops"]}, dataset=train_set)'
    else:
        dataset = "dict(_delete_=True, **train_set)"
    lines = [
        f"# Planned by `{command}`.",
        f"# Each value stands below its reason; the figures are in {out.with_suffix('.json').name}.",
        "#",
        f"#   semseg train {out}",
        "#",
        *_reasons(choices, "resolution", "network", "start"),
        f'_base_ = "{recipe_path(network, out)}"',
        f"dataset_file = {_quoted(dataset_file)}",
        *_reasons(choices, "scale"),
        f"scale = {value['scale']}  # width, height",
        *_reasons(choices, "crop"),
        f"crop_size = {value['crop']}  # height, width",
        *_reasons(choices, "normalisation", "loss"),
        *_model(network, value, num_classes, mean, std),
        *_reasons(choices, "scale range", "flips", "colours"),
        *_listing("train_pipeline", train_steps),
        *_listing("test_pipeline", test_steps),
        *_views(value["scale"], value["flips"]),
        *_reasons(choices, "rare-class crops", "batch", "workers"),
        f"train_set = {train_set}",
        "train_dataloader = dict(",
        f"    batch_size={value['batch']},",
        f"    num_workers={value['workers']},",
        f"    dataset={dataset},",
        ")",
        *_loader("val", "val"),
        *_loader("test", "test" if has_test else "val"),
        *_reasons(choices, "iterations", "validations"),
        f"num_iters = {value['iterations']}",
        f'train_cfg = dict(type="IterBasedTrainLoop", max_iters=num_iters, val_interval={interval})',
        "default_hooks = dict(",
        f"    logger=dict(interval={max(1, min(50, interval // 5))}),",
        f"    checkpoint=dict(interval={interval}),",
        ")",
        *_reasons(choices, "learning rate", "weight decay", "averaged weights"),
        *_optimizer(value),
        "param_scheduler = [",
        '    dict(type="LinearLR", start_factor=0.1, begin=0, end=num_iters // 20, by_epoch=False),',
        '    dict(type="PolyLR", eta_min=1e-5, power=0.9, begin=num_iters // 20, end=num_iters, by_epoch=False),',
        "]",
        *_reasons(choices, "folds"),
    ]
    return "\n".join(lines) + "\n"


def _reasons(choices: Mapping[str, Choice], *names: str) -> list[str]:
    lines = []
    for name in names:
        choice = choices[name]
        text = f"{name}: {choice.shown}; {choice.reason}"
        lines += textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)
    return lines


def _listing(name: str, steps: list[str]) -> list[str]:
    return [f"{name} = [", *(f"    {step}," for step in steps), "]"]


def _distortion(arguments: Mapping | None) -> list[str]:
    if arguments is None:
        return []
    given = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return [f'dict(type="PhotoMetricDistortion", {given})']


def _loader(name: str, split: str) -> list[str]:
    arguments = f'dataset_file=dataset_file, split="{split}", pipeline=test_pipeline'
    return [
        f'{name}_set = dict(type="FolderSegDataset", {arguments})',
        f"{name}_dataloader = dict(dataset=dict(_delete_=True, **{name}_set))",
    ]


def _model(network: Network, value: Mapping, num_classes: int, mean: tuple, std: tuple) -> list[str]:
    parts = {"data_preprocessor": f"mean={list(mean)}, std={list(std)}, size=crop_size", **dict(network.model)}
    if value["start"]:
        parts["backbone"] += f', init_cfg=dict(type="Pretrained", checkpoint={_quoted(value["start"])})'
    for key in network.heads:
        parts[key] = ", ".join(part for part in (parts.get(key), f"num_classes={num_classes}") if part)
    losses = ['dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0)']
    if value["loss"]:
        losses.append(f'dict(type="StridedLovaszLoss", stride={value["loss"]}, loss_weight=1.0)')
    lines = ["model = dict("]
    for key, text in parts.items():
        if key == network.heads[0]:
            lines += [f"    {key}=dict(", f"        {text},", "        loss_decode=["]
            lines += [*(f"            {loss}," for loss in losses), "        ],", "    ),"]
        else:
            lines += textwrap.wrap(f"{key}=dict({text}),", _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)
    return [*lines, ")"]


def _views(scale: tuple[int, int], flips: str) -> list[str]:
    scales = [tuple(round(side * factor) for side in scale) for factor in (0.75, 1, 1.25)]
    mirrored = '[dict(type="RandomFlip", prob=0.0), dict(type="RandomFlip", prob=1.0, direction="horizontal")],'
    return [
        "tta_pipeline = [",
        '    dict(type="LoadImageFromFile"),',
        "    dict(",
        '        type="TestTimeAug",',
        "        transforms=[",
        f'            [dict(type="Resize", scale=s, keep_ratio=True) for s in {scales}],',
        *([] if flips == "none" else [f"            {mirrored}"]),
        '            [dict(type="LoadTrainIds")],',
        '            [dict(type="PackSegInputs")],',
        "        ],",
        "    ),",
        "]",
    ]


def _optimizer(value: Mapping) -> list[str]:
    optimizer = f'dict(type="AdamW", lr={value["learning rate"]}, weight_decay={value["weight decay"]})'
    if not value["start"]:
        return [f"optim_wrapper = dict(optimizer={optimizer})"]
    return [
        "optim_wrapper = dict(  # pretrained layers change ten times more slowly",
        f"    optimizer={optimizer}, paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))",
        ")",
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
