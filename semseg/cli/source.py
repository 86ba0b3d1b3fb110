"""What the programs about data are given: a config or a dataset.yaml, and how many processes read it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semseg.config.options import add_options, option
from semseg.errors import InvalidInputError
from semseg.system.machine import num_cpus

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ConfigOptions:
    """Where SOURCE is a config."""

    data: Sequence[str] | None = option(
        action="append", metavar="FILE", help="a dataset.yaml in place of its data; given again: one more set"
    )
    cfg_options: Sequence[str] = option((), nargs="+", action="extend", metavar="KEY=VALUE", help="override its values")


def add_source(parser: argparse.ArgumentParser, *, all_splits: bool = False) -> None:
    """Add SOURCE, its split, and the options of a config.

    Args:
        parser: of a sub-command.
        all_splits: several splits can be named, and all are meant if none is; else it is one, train if none is named.
    """
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a config (.py), or a dataset.yaml")
    if all_splits:
        parser.add_argument("--split", nargs="+", choices=SPLITS, default=[], help="default: all")
    else:
        parser.add_argument("--split", choices=SPLITS, default="train", help="default: %(default)s")
    add_options(parser, ConfigOptions)


def load_source(args: argparse.Namespace) -> Any:
    """Return the finished config, or None where SOURCE is a dataset.yaml."""
    if args.source.suffix == ".py":
        from semseg.config import load_config

        return load_config(args.source, args.cfg_options, data=args.data)
    for name in ("data", "cfg_options"):
        if getattr(args, name):
            raise InvalidInputError(
                f"`{name}` belongs to a config (.py), not to {args.source}; leave it out", code="E-input-no-effect"
            )
    return None


def add_nproc(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes."""
    parser.add_argument("--nproc", type=int, metavar="N", help="processes (default: one per CPU)")


def num_processes(args: argparse.Namespace) -> int:
    """Return how many processes were asked for, or one for each CPU.

    Raises:
        ValueError: fewer than one.
    """
    if args.nproc is None:
        return num_cpus()
    if args.nproc < 1:
        raise InvalidInputError(f"`nproc` is 1 or more, got {args.nproc}", code="E-input-range")
    return args.nproc
