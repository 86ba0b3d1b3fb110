"""The scalars of runs as a chart or a table: `tools/analyze.py curves`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semseg.errors import InvalidInputError


def add_curves(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "curves",
        help="loss, learning rate, mIoU, IoU/person ... of one or several runs over the iterations",
        description=(
            "Print the last and the best value of the scalars that runs wrote down, or draw or write all of them. "
            "A run that was resumed is one curve."
        ),
    )
    parser.add_argument("work_dirs", nargs="+", type=Path, metavar="WORK_DIR", help="the work folder of a training")
    parser.add_argument(
        "--keys",
        nargs="+",
        metavar="KEY",
        help="such as loss mIoU 'IoU/person' 'IoU/*' (default: loss, lr, mIoU, aAcc, as far as a run has them)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="a chart (.png), or every value (.csv)")
    parser.add_argument(
        "--smooth",
        type=int,
        default=1,
        metavar="N",
        help="draw averages over N points of the training's scalars, the values themselves faint behind them",
    )
    parser.set_defaults(run=_run_curves)


def _run_curves(args: argparse.Namespace) -> int:
    if args.out is not None and args.out.suffix.lower() not in (".png", ".csv"):
        raise InvalidInputError(f"--out {args.out}: expected a name that ends in .png or .csv", code="E-input-value")
    if args.smooth < 1:
        raise InvalidInputError(f"--smooth is 1 or more, got {args.smooth}", code="E-input-range")
    if args.smooth > 1 and (args.out is None or args.out.suffix.lower() != ".png"):
        raise InvalidInputError("--smooth is for a chart; add --out FILE.png", code="E-input-value")

    from semseg.analysis import curves
    from semseg.system.atomic import atomic_path

    runs = {name: curves.read_curves(path) for name, path in _names(args.work_dirs).items()}
    known = [key for run in runs.values() for key in run]
    keys = curves.choose_keys(known, args.keys)
    if args.out is None:
        print(*curves.table(runs, keys), sep="\n")
        rest = curves.groups(key for key in known if key not in keys)
        if rest and not args.keys:
            print(f"also, with --keys: {' '.join(rest)}")
        return 0
    with atomic_path(args.out) as temporary:
        if args.out.suffix.lower() == ".csv":
            curves.write_csv(runs, keys, temporary)
        else:
            from PIL import Image

            from semseg.visualization import charts

            Image.fromarray(charts.draw_curves(_lines(runs, keys, args.smooth))).save(temporary)
    print(f"wrote {args.out}: {', '.join(keys)}")
    return 0


def _lines(runs: Any, keys: Sequence[str], num_points: int) -> dict[str, dict[str, tuple]]:
    """Return what to draw: by key, by run, the iterations, the values, and their averages or None.

    Noise is averaged away, and there is none in a learning rate or in the few points of the validations.
    """
    from semseg.analysis import curves

    def averages(key: Any, curve: Any) -> Any:
        is_noisy = not key.endswith("lr") and len(curve.values) >= 4 * num_points > 4
        return curves.smoothed(curve, num_points).values if is_noisy else None

    return {
        key: {name: (*run[key], averages(key, run[key])) for name, run in runs.items() if key in run} for key in keys
    }


def _names(work_dirs: list[Path]) -> dict[str, Path]:
    """Call runs after their folders; where two have one name, after their whole paths."""
    names = [path.resolve().name for path in work_dirs]
    same = len(set(names)) < len(names)
    return {str(path) if same else name: path for name, path in zip(names, work_dirs, strict=True)}
