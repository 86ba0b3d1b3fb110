"""Which model a program predicts with: the words and flags that say it, and the opening."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from semseg.errors import InvalidInputError

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor

OVERLAP = 0.25
_CONFIG_SUFFIXES = (".py", ".json", ".yaml", ".yml")


def split_config(words: list[str]) -> tuple[str | None, list[str]]:
    """Split `[CONFIG] CHECKPOINT …` into the config, or its name, if there is one, and the rest."""
    from semseg.config.recipes import find_recipe

    is_name = not Path(words[0]).exists() and find_recipe(words[0]) is not None
    is_config = words[0].endswith(_CONFIG_SUFFIXES) or is_name
    return (words[0], words[1:]) if is_config else (None, words)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says how a model is opened."""
    parser.add_argument("--data", metavar="FILE", help="the dataset.yaml that the model was trained on, if any")
    parser.add_argument("--device", help="such as cuda:1 or cpu; default: the GPU if there is one")
    parser.add_argument("--bits", type=int, metavar="N", help="how many bits of photographs that store 16 are in use,"
                        " such as 12; default: what the model's set says")  # fmt: skip
    parser.add_argument(
        "--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="override config values"
    )
    parser.add_argument("--trust-checkpoint", action="store_true", help="load it even if it carries code, and run that")


def add_speed_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says how carefully a model predicts."""
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"], default="auto",
                        help="of the model's numbers; default: what the hardware does well")  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="let PyTorch generate code for the model, which takes"
                        " minutes: for long runs")  # fmt: skip
    parser.add_argument("--tta", metavar="VIEWS", help="average more views of each image: flip, or flip,0.75,1,1.25")
    parser.add_argument("--tile", type=int, metavar="PX", help="cut images into windows of this size, at full size")
    parser.add_argument(
        "--overlap", type=float, default=OVERLAP, help=f"of the windows, as a share; default: {OVERLAP}"
    )


def open_predictor(args: argparse.Namespace, rank: int = 0, exported: bool = True) -> ImagePredictor:
    """Return a Predictor, or what stands in for it; say what a person should know, from the first process only.

    Args:
        args: with `config`, `checkpoint`, and those of the flags above that the program has.
        rank: which process this is.
        exported: whether an exported model will do.
    """
    if not exported and args.checkpoint.lower().endswith((".onnx", ".pt2")):
        raise InvalidInputError(
            f"{args.checkpoint} is an exported model, which tells the best class only: name its checkpoint"
        )
    if getattr(args, "overlap", OVERLAP) != OVERLAP and not args.tile:
        raise InvalidInputError(
            f"--overlap {args.overlap} has no effect without --tile; add --tile PX, or leave it out"
        )
    import torch

    from semseg import compat

    compat.repair()  # before MMSegmentation is imported, which warns
    from semseg.datasets.bit_depth import check_bits
    from semseg.inference.scoring import parse_views
    from semseg.inference.segmenter import Segmenter

    check_bits(args.bits, "--bits")
    parse_views(getattr(args, "tta", None))

    device = args.device
    if getattr(args, "launcher", "none") != "none" and device is None and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    speed = ("precision", "compile", "tta", "tile", "overlap")
    segmenter = Segmenter(
        args.checkpoint,
        args.config,
        device,
        **{name: getattr(args, name) for name in speed if hasattr(args, name)},
        bits=args.bits,
        data=args.data,
        cfg_options=args.cfg_options,
        trust_checkpoint=args.trust_checkpoint,
        on_note=lambda sentence: print(sentence, file=sys.stderr) if rank == 0 else None,
    )
    return segmenter.predictor
