"""Options of the programs about data: a config or a dataset.yaml, the number of processes, and those of imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semseg.config.options import PluginOptions, add_options, option
from semseg.errors import InvalidInputError
from semseg.system.machine import num_cpus

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ConfigOptions(PluginOptions):
    """Options if SOURCE is a config."""

    data: Sequence[str] | None = option(
        action="append",
        metavar="FILE",
        help="use this dataset.yaml instead of the data of the config; repeatable",
    )
    cfg_options: Sequence[str] = option(
        (), nargs="+", action="extend", metavar="KEY=VALUE", help="override config values"
    )


def add_source(parser: argparse.ArgumentParser, *, all_splits: bool = False) -> None:
    """Add SOURCE, --split, and the options of a config.

    Args:
        parser: parser of a sub-command.
        all_splits: accept several splits, by default all; otherwise one split, by default train.
    """
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a config (.py), or a dataset.yaml")
    if all_splits:
        parser.add_argument("--split", nargs="+", choices=SPLITS, default=[], help="default: all")
    else:
        parser.add_argument("--split", choices=SPLITS, default="train", help="default: %(default)s")
    add_options(parser, ConfigOptions)


def load_source(args: argparse.Namespace) -> Any:
    """Load the config, or return None if SOURCE is a dataset.yaml."""
    if args.source.suffix == ".py":
        from semseg.config import load_config

        return load_config(args.source, args.cfg_options, data=args.data, plugins=args.plugins)
    for name in ("data", "cfg_options", "plugins"):
        if getattr(args, name):
            raise InvalidInputError(
                f"`{name}` belongs to a config (.py), not to {args.source}; leave it out", code="E-input-no-effect"
            )
    return None


def add_nproc(parser: argparse.ArgumentParser) -> None:
    """Add --nproc."""
    parser.add_argument("--nproc", type=int, metavar="N", help="number of processes (default: one per CPU)")


def add_copy(parser: argparse.ArgumentParser) -> None:
    """Add --copy, of exports."""
    parser.add_argument("--copy", action="store_true", help="copy the images to DIR/images")


def num_processes(args: argparse.Namespace) -> int:
    """Return the number of processes of --nproc, by default one per CPU.

    Raises:
        ValueError: --nproc is less than 1.
    """
    if args.nproc is None:
        return num_cpus()
    if args.nproc < 1:
        raise InvalidInputError(f"`nproc` is 1 or more, got {args.nproc}", code="E-input-range")
    return args.nproc
