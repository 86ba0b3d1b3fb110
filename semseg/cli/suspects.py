"""Find wrong labels: `tools/dataset.py suspects`."""

from __future__ import annotations

import argparse
import functools
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semseg.cli.exports import FORMATS
from semseg.cli.predictor import add_model_flags, open_predictor
from semseg.cli.progress import show_count
from semseg.cli.source import SPLITS
from semseg.errors import InvalidInputError
from semseg.system.wording import for_people, listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semseg.analysis.suspects.find import Findings, Suspect
    from semseg.analysis.suspects.held_out import Judge
    from semseg.datasets.dataset_file import DatasetFile
    from semseg.datasets.pairs import Pair


_PACKAGE = "label_next"


def add_suspects(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "suspects",
        help="find wrong labels by models that have not seen the images",
        description=(
            "Compare the labels of a set with the predictions of models that have not seen the images, region by "
            "region. Writes a page with the most suspicious regions, and all of them as a table and JSON."
        ),
    )
    parser.add_argument("source", type=Path, metavar="DATASET", help="a dataset.yaml")
    parser.add_argument(
        "--checkpoint",
        dest="judges",
        action="append",
        required=True,
        metavar="CHECKPOINT[=LIST]",
        help="a model, and the list of the images that it has not seen (default: all of the split); repeatable; or the"
        " work folder of train --folds; or a folder with sub-folders fold_*, each with best.pth and held_out.txt",
    )
    parser.add_argument("--config", metavar="FILE", help="config of the models; not needed if they describe themselves")
    parser.add_argument(
        "--split", choices=SPLITS, help="default: val; with lists, all splits, as far as the images are in a list"
    )
    parser.add_argument("--out-dir", type=Path, default=Path("outputs/suspects"), help="default: outputs/suspects")
    parser.add_argument("--top", type=int, default=50, metavar="N", help="regions on the page (default: %(default)s)")
    parser.add_argument(
        "--max-suspects", type=int, default=1000, metavar="N", help="regions in the tables (default: %(default)s)"
    )
    parser.add_argument(
        "--min-area", type=int, default=100, metavar="PX", help="judge regions of at least this area (default: 100)"
    )
    parser.add_argument(
        "--package",
        choices=FORMATS,
        metavar="FORMAT",
        help="also write the images of the regions on the page with their labels to label_next/, to be corrected with a"
        f" labelling tool: {', '.join(FORMATS)}",
    )
    add_model_flags(parser)
    parser.set_defaults(run=_run_suspects)


def _run_suspects(args: argparse.Namespace) -> int:
    for name in ("top", "max_suspects", "min_area"):
        if getattr(args, name) < 1:
            raise InvalidInputError(f"`{name}` is 1 or more, got {getattr(args, name)}", code="E-input-range")

    from semseg.system.atomic import check_folder

    check_folder(args.out_dir, "out_dir")
    if args.package:
        from semseg.datasets.exporters import check_unused

        check_unused(args.out_dir / _PACKAGE)

    from semseg import compat

    compat.repair()
    from semseg.analysis.suspects.find import find_suspects
    from semseg.analysis.suspects.held_out import read_judges, share_pictures
    from semseg.datasets.dataset_file import read_dataset_file
    from semseg.datasets.pairs import find_pairs

    rules = read_dataset_file(args.source)
    judges = read_judges(args.judges, rules.root)
    has_lists = judges[0].held_out is not None
    splits = [args.split] if args.split else list(rules.splits) if has_lists else ["val"]
    pairs = list(
        {pair.image_path.resolve(): pair for split in splits for pair in find_pairs(rules, split).pairs}.values()
    )
    shares, num_left = share_pictures(judges, pairs)
    if num_left:
        print(f"{num_left} of {len(pairs)} images are in no list, and are not judged", file=sys.stderr)
    warnings = _warn_of_seen(judges, shares)

    @functools.lru_cache(maxsize=1)  # the crops need the last model again
    def open_model(checkpoint: Path) -> Any:
        return open_predictor(argparse.Namespace(**{**vars(args), "checkpoint": checkpoint}), exported=False)

    with show_count("judging") as show:
        findings = find_suspects(judges, shares, rules, open_model, args.min_area, args.max_suspects, show)
    return _write_results(args, rules, judges, shares, findings, warnings, open_model)


def _warn_of_seen(judges: Sequence[Judge], shares: Sequence[Sequence[Pair]]) -> list[str]:
    """Print and return a sentence for each model that has seen images which it is to judge."""
    from semseg.analysis.suspects.held_out import seen_in_training
    from semseg.checkpoints.description import description_of
    from semseg.checkpoints.reading import is_checkpoint, read_checkpoint

    warnings = []
    for judge, pairs in zip(judges, shares, strict=True):
        if not is_checkpoint(judge.checkpoint):
            continue
        content = read_checkpoint(judge.checkpoint, mmap=True)
        seen = seen_in_training(description_of(content, judge.checkpoint), pairs)
        if seen:
            warnings.append(
                f"{len(seen)} of {len(pairs)} images were in the training of {judge.checkpoint}, which may have learnt"
                f" their wrong labels: {listing(seen)}; judge them with a model that has not seen them"
            )
            print(f"warning: {warnings[-1]}", file=sys.stderr)
    return warnings


def _write_results(
    args: argparse.Namespace,
    rules: DatasetFile,
    judges: Sequence[Judge],
    shares: Sequence[Sequence[Pair]],
    findings: Findings,
    warnings: Sequence[str],
    open_model: Any,
) -> int:
    """Write the tables and the page, and print a summary."""
    from semseg.analysis.report.suspects_page import write_page
    from semseg.analysis.suspects.crops import draw_all_crops
    from semseg.analysis.suspects.find import KINDS
    from semseg.analysis.suspects.tables import class_rows, suspect_rows, write_tables
    from semseg.checkpoints.facts import command_line, versions

    crops = draw_all_crops(findings.suspects[: args.top], judges, rules, open_model)
    account = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "run": {
            "checkpoints": [
                {"path": str(judge.checkpoint), "num_images": len(pairs)}
                for judge, pairs in zip(judges, shares, strict=True)
            ],
            "command": command_line(),
            "versions": versions(),
        },
        "data": {
            "name": str(rules.path),
            "num_images": findings.num_images,
            "num_regions": int(findings.num_regions.sum()),
            "num_contradicted": int(findings.num_contradicted.sum()),
            "num_contradicted_parts": int(findings.num_parts.sum()),
        },
        "warnings": list(warnings),
        "classes": list(rules.classes),
        "palette": [list(color) for color in rules.palette],
        "min_area_px": args.min_area,
        "per_class": class_rows(findings, rules.classes),
        "suspects": suspect_rows(findings.suspects, rules.classes),
    }
    write_tables(args.out_dir, account)
    write_page(args.out_dir / "suspects.html", account, KINDS, crops)
    about_package: list[str] = []
    if args.package and findings.suspects:
        from semseg.datasets.exporters import pack_labels

        pairs = list(dict.fromkeys(suspect.pair for suspect in findings.suspects[: args.top]))
        package = pack_labels(args.package, args.out_dir / _PACKAGE, pairs, rules)
        about_package = package.describe(package.write())
    _print(account, findings.suspects[:5], rules.classes)
    print(for_people(f"wrote {args.out_dir}: suspects.html, suspects.csv, suspects.json"))
    for line in about_package:
        print(for_people(line))
    return 0


def _print(account: dict, worst: Sequence[Suspect], classes: Sequence[str]) -> None:
    data = account["data"]
    contradicted = f"{data['num_contradicted']} contradicted, and {data['num_contradicted_parts']} parts of others"
    print(f"{data['num_images']} images, {data['num_regions']} regions: {contradicted}")
    for suspect in worst:
        labels = f"{classes[suspect.given]}, rather {classes[suspect.suggested]} ({suspect.kind})"
        left, top, width, height = suspect.box
        print(f"  {suspect.score:.2f}  {labels}: {suspect.pair.image_path} at {left},{top} {width}x{height}")
