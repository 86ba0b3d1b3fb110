"""Options that open a model for prediction, shared by several programs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from semseg.config.options import add_options, names_of
from semseg.errors import InvalidInputError
from semseg.inference.options import ModelOptions, PredictionOptions, is_exported
from semseg.system.wording import for_people

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor
    from semseg.inference.predictor import Predictor
    from semseg.inference.sources import LeftOut, SourceImage

_CONFIG_SUFFIXES = (".py", ".json", ".yaml", ".yml")


def split_config(words: list[str]) -> tuple[str | None, list[str]]:
    """Split `[CONFIG] CHECKPOINT …` into the config (a file, a name or None) and the other arguments."""
    from semseg.config.recipes import find_recipe

    is_name = not Path(words[0]).exists() and find_recipe(words[0]) is not None
    is_config = words[0].partition("?")[0].endswith(_CONFIG_SUFFIXES) or is_name
    return (words[0], words[1:]) if is_config else (None, words)


def local_model(path: str) -> str:
    """Return the path of a checkpoint, an exported model or a config; an address is copied to the cache folder."""
    from semseg.system.objects.addresses import is_address
    from semseg.system.objects.local_copies import cached_model

    return str(cached_model(path)) if is_address(path) else path


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the options of how a model is opened."""
    add_options(parser, ModelOptions)


def add_speed_flags(parser: argparse.ArgumentParser) -> None:
    """Add the options of how a model predicts."""
    add_options(parser, PredictionOptions)


@overload
def open_predictor(args: argparse.Namespace, rank: int = 0, *, exported: Literal[False]) -> Predictor: ...


@overload
def open_predictor(
    args: argparse.Namespace, rank: int = 0, *, exported: bool = True, all_probabilities: str | None = None
) -> ImagePredictor: ...


def open_predictor(
    args: argparse.Namespace, rank: int = 0, *, exported: bool = True, all_probabilities: str | None = None
) -> ImagePredictor:
    """Open the model of parsed arguments, and print its notes in the first process only.

    Args:
        args: `config`, `checkpoint`, and those of the options above that the program has.
        rank: of this process.
        exported: whether exported models are accepted.
        all_probabilities: a given option that needs the probabilities of every class, which exported models don't give.
    """
    if not exported and is_exported(args.checkpoint):
        raise InvalidInputError(
            f"{args.checkpoint} is an exported model, which returns the class of each pixel only; use its checkpoint",
            code="E-input-no-probabilities",
        )
    option_names = names_of(ModelOptions, PredictionOptions)
    options = {name: value for name, value in vars(args).items() if name in option_names}
    overlap = options.get("overlap", PredictionOptions.overlap)
    if overlap != PredictionOptions.overlap and not options["tile"]:
        raise InvalidInputError(
            f"`overlap` {overlap} has no effect without `tile`; add `tile` PX, or leave it out",
            code="E-input-no-effect",
        )
    if all_probabilities and options.get("backend") == "auto":
        options["backend"] = "torch"
        if rank == 0:
            print(f"backend: torch, because of {all_probabilities}", file=sys.stderr)
    import torch

    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.datasets.bit_depth import check_bits
    from semseg.inference.scoring import parse_views
    from semseg.inference.segmenter import Segmenter

    check_bits(args.bits, "--bits")
    parse_views(getattr(args, "tta", None))

    if getattr(args, "launcher", "none") != "none" and args.device is None and torch.cuda.is_available():
        options["device"] = f"cuda:{os.environ['LOCAL_RANK']}"
    segmenter = Segmenter(
        args.checkpoint,
        args.config,
        **options,
        on_note=lambda sentence: print(for_people(sentence), file=sys.stderr) if rank == 0 else None,
    )
    return segmenter.predictor


def find_pictures(checkpoint: str, *sources: str | Path, **options: Any) -> tuple[list[SourceImage], LeftOut]:
    """Return the pictures that a model can segment, and what was left out; see `find_images`.

    Files that only models with `bands` read are pictures if the checkpoint describes such a model; it is opened only if
    there are such files.
    """
    from semseg.datasets.bands import BAND_SUFFIXES
    from semseg.inference import find_images
    from semseg.inference.sources import LeftOut

    left_out = LeftOut()
    images = find_images(*sources, left_out=left_out, more_suffixes=BAND_SUFFIXES, **options)
    if any(image.path.suffix.lower() in BAND_SUFFIXES for image in images) and not _reads_bands(Path(checkpoint)):
        left_out = LeftOut()
        images = find_images(*sources, left_out=left_out, **options)
    return images, left_out


def _reads_bands(checkpoint: Path) -> bool:
    from semseg.checkpoints.reading import is_checkpoint, read_checkpoint
    from semseg.config.bands import bands_in_checkpoint

    if not is_checkpoint(checkpoint):
        return False
    with contextlib.suppress(ValueError, OSError):  # reported when the model is opened
        return bool(bands_in_checkpoint(read_checkpoint(checkpoint, mmap=True)))
    return False
