"""Plan a training for a data set and a machine: `tools/plan.py`, `semseg plan`."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.config.options import add_options, given
from semseg.planning.options import PlanOptions

if TYPE_CHECKING:
    from semseg.planning.plan import Plan

_REASON_WIDTH = 110


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(
        description=(
            "Read a labelled set and the machine, and write a config that is ready to train. Every choice is a rule; "
            "its reason is printed, and is a comment in the config."
        )
    )
    parser.add_argument("dataset", metavar="DATASET", help="a dataset.yaml, or its folder")
    add_options(parser, PlanOptions)
    parser.add_argument("--train", action="store_true", help="train the config when it is written")
    add_debug_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plan a training."""
    args = parse_args(argv)
    if args.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.planning.plan import make_plan

    plan = make_plan(args.dataset, PlanOptions(**given([PlanOptions], args)), lambda line: print(line, flush=True))
    print("\n".join(table(plan)))
    print(f"{plan.path}: train it with semseg train {plan.path}", flush=True)
    if args.train:
        from semseg.cli import train

        train.main([str(Path(plan.path))])


def table(plan: Plan) -> list[str]:
    """Return the choices and their reasons as lines."""
    lines = []
    for choice in plan.choices:
        lines.append(f"{choice.name:18}{choice.shown}")
        lines += textwrap.wrap(choice.reason, _REASON_WIDTH, initial_indent=" " * 20, subsequent_indent=" " * 20)
    return lines
