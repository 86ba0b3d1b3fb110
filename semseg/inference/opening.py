"""Opening what a `Segmenter` predicts with: a checkpoint or an exported model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from semseg import compat
from semseg.checkpoints.reading import is_checkpoint, read_checkpoint
from semseg.config import for_inference, load_config
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.config.options import FAST, STOCK
from semseg.errors import InvalidInputError
from semseg.inference.backends import choose_backend, open_exported
from semseg.inference.exported_predictor import ExportedPredictor
from semseg.inference.options import BACKENDS, SegmenterOptions, is_exported
from semseg.inference.predictor import Predictor
from semseg.inference.stock_predictor import StockPredictor, check_stock
from semseg.system.objects.addresses import is_address
from semseg.system.objects.local_copies import cached_model

_USED_BY_EXPORTED_MODELS = ("device", "bits", "trust_checkpoint", "on_note")


def open_predictor(checkpoint: str | Path, options: SegmenterOptions) -> Predictor | ExportedPredictor:
    """Open a checkpoint or an exported model.

    With `trust_checkpoint` all checkpoints are trusted from now on, in this context.

    Args:
        checkpoint: path of the file.
        options: of a `Segmenter`, whose docstring explains them.

    Raises:
        FileNotFoundError: no such checkpoint or config.
        ValueError: those of `Segmenter`.
    """
    if not isinstance(checkpoint, (str, Path)):
        raise InvalidInputError(
            f"the checkpoint is a {type(checkpoint).__name__}; expected the path of a file", code="E-input-path"
        )
    if is_address(checkpoint):
        checkpoint = cached_model(checkpoint)
    if options.config is not None and is_address(options.config):
        options = dataclasses.replace(options, config=cached_model(options.config))
    if is_exported(checkpoint):
        return _open_exported(checkpoint, options)
    if options.performance not in (FAST, STOCK):
        raise InvalidInputError(
            f"`performance` {options.performance!r}: expected {FAST!r} or {STOCK!r}", code="E-input-choice"
        )
    if options.backend not in BACKENDS:
        raise InvalidInputError(
            f"`backend` {options.backend!r}: expected one of {', '.join(BACKENDS)}", code="E-input-choice"
        )
    if options.performance == STOCK:
        check_stock(options)
    if options.trust_checkpoint:
        compat.trust_checkpoints()
    checkpoint = existing_checkpoint(checkpoint)
    compat.repair()  # before anything is imported for what the checkpoint holds
    # the file is read only once: for the config, its sizes, the number of classes, and the weights
    is_its_own_config = not options.config and is_checkpoint(checkpoint)
    content = read_checkpoint(checkpoint) if is_its_own_config or options.data else None
    cfg = load_config(
        options.config or checkpoint,
        options.cfg_options,
        data=options.data,
        content=content,
        plugins=options.plugins,
    )
    content = read_checkpoint(checkpoint) if content is None else content
    cfg = for_inference(cfg, checkpoint, content)
    if options.backend != "torch":
        predictor, reason = choose_backend(checkpoint, cfg, options)
        if options.on_note is not None:
            options.on_note(reason)
        if predictor is not None:
            return _tell(predictor, options)
    if options.performance == STOCK:
        return StockPredictor(
            cfg, checkpoint, options.device, bits=options.bits, on_note=options.on_note, content=content
        )
    return Predictor(
        cfg,
        checkpoint,
        options.device,
        precision=options.precision,
        tta=options.tta,
        tile=options.tile,
        overlap=options.overlap,
        compile=options.compile,
        bits=options.bits,
        on_note=options.on_note,
        content=content,
    )


def _open_exported(path: str | Path, options: SegmenterOptions) -> ExportedPredictor:
    """Open an exported model, and refuse the options that have no effect on it."""
    given = [
        field.name
        for field in dataclasses.fields(options)
        if field.name not in _USED_BY_EXPORTED_MODELS
        and getattr(options, field.name)
        and getattr(options, field.name) != field.default
    ]
    if given:
        names = ", ".join("config" if name == "config" else f"`{name}`" for name in given)
        raise InvalidInputError(
            f"{path} is an exported model, which has no use for {names}: leave it out", code="E-input-no-effect"
        )
    return _tell(open_exported(path, options.device, options.bits), options)


def _tell(predictor: ExportedPredictor, options: SegmenterOptions) -> ExportedPredictor:
    """Pass the notes of a predictor on."""
    if options.on_note is not None:
        for note in predictor.notes:
            options.on_note(note)
    return predictor
