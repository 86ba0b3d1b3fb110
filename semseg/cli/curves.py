"""Show the scalars of runs as a chart or a table: `tools/analyze.py curves`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semseg.errors import InvalidInputError


def add_curves(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "curves",
        help="show loss, learning rate, mIoU, IoU/person ... of one or more runs over the iterations",
        description=(
            "Print the last and the best value of each scalar that the runs logged, or write all values to a chart "
            "or a CSV file. A resumed run is one curve."
        ),
    )
    parser.add_argument("work_dirs", nargs="+", type=Path, metavar="WORK_DIR", help="work folder of a run")
    parser.add_argument(
        "--keys",
        nargs="+",
        metavar="KEY",
        help="such as loss mIoU 'IoU/person' 'IoU/*' (default: those of loss, lr, mIoU, aAcc that a run has)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a chart (.png), or all values (.csv)")
    parser.add_argument(
        "--smooth",
        type=int,
        default=1,
        metavar="N",
        help="draw moving averages over N points of the training scalars, with the raw values in a lighter colour",
    )
    parser.set_defaults(run=_run_curves)


def _run_curves(args: argparse.Namespace) -> int:
    if args.out is not None and args.out.suffix.lower() not in (".png", ".csv"):
        raise InvalidInputError(f"--out {args.out}: expected a name that ends in .png or .csv", code="E-input-value")
    if args.smooth < 1:
        raise InvalidInputError(f"--smooth is 1 or more, got {args.smooth}", code="E-input-range")
    if args.smooth > 1 and (args.out is None or args.out.suffix.lower() != ".png"):
        raise InvalidInputError("--smooth works for a chart only; add --out FILE.png", code="E-input-value")

    from semseg.analysis import curves
    from semseg.system.atomic import atomic_path

    runs = {name: curves.read_curves(path) for name, path in _names(args.work_dirs).items()}
    known_keys = [key for run in runs.values() for key in run]
    keys = curves.choose_keys(known_keys, args.keys)
    if args.out is None:
        print(*curves.table(runs, keys), sep="\n")
        other_keys = curves.groups(key for key in known_keys if key not in keys)
        if other_keys and not args.keys:
            print(f"more keys, shown with --keys: {' '.join(other_keys)}")
        return 0
    if args.out.suffix.lower() == ".csv":
        with atomic_path(args.out) as temporary:
            curves.write_csv(runs, keys, temporary)
    else:
        from semseg.visualization import charts
        from semseg.visualization.picture_files import save_picture

        save_picture(charts.draw_curves(_lines(runs, keys, args.smooth)), args.out)
    print(f"wrote {args.out}: {', '.join(keys)}")
    return 0


def _lines(runs: Any, keys: Sequence[str], num_points: int) -> dict[str, dict[str, tuple]]:
    """Return the lines to draw by key and run: iterations, values, and moving averages or None.

    Learning rates and the few points of the validations are not noisy, so they are not averaged.
    """
    from semseg.analysis import curves

    def averages(key: Any, curve: Any) -> Any:
        is_noisy = not key.endswith("lr") and len(curve.values) >= 4 * num_points > 4
        return curves.smoothed(curve, num_points).values if is_noisy else None

    return {
        key: {name: (*run[key], averages(key, run[key])) for name, run in runs.items() if key in run} for key in keys
    }


def _names(work_dirs: list[Path]) -> dict[str, Path]:
    """Return the work folders by display name: the folder name, or the full path if two folders have the same name."""
    names = [path.resolve().name for path in work_dirs]
    is_ambiguous = len(set(names)) < len(names)
    return {str(path) if is_ambiguous else name: path for name, path in zip(names, work_dirs, strict=True)}
