"""A model in a city that it never saw, without labels: `tools/analyze.py gap`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semseg.cli.predictor import add_model_flags, open_predictor, split_config
from semseg.cli.progress import show_count
from semseg.errors import InvalidInputError

if TYPE_CHECKING:
    from semseg.analysis.gap_tables import Side

MOST_OF_REFERENCE = 200
"""Images that the reference is measured by unless more are asked for: they say where 0.5 % of it ends."""
NUM_EASIEST = 4


def add_gap(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "gap",
        help="what photographs without labels do to a model: which to label next, and pseudo-labels",
        description=(
            "Measure a model on photographs without labels against a reference, such as Cityscapes: how sure it is, "
            "whether it says the same of the mirror image, which classes it finds. Writes a ranking of the "
            "photographs, hardest first, and a page. Of a reference in Cityscapes' layout val is taken (else test, "
            "else train): a model is surer of what it was trained on."
        ),
        usage="%(prog)s [CONFIG] CHECKPOINT FOLDER --reference FOLDER [options]",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="[CONFIG] CHECKPOINT FOLDER",
        help="the config is not needed for a checkpoint that describes itself; of the folder sub-folders, too",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="FOLDER",
        help="photographs like those it was trained on, but others; or the root of a set in Cityscapes' layout",
    )
    parser.add_argument("--out-dir", type=Path, default=Path("outputs/gap"), help="default: outputs/gap")
    parser.add_argument(
        "--num-images",
        type=int,
        metavar="N",
        help="measure N of each side, evenly chosen (default: all of the folder, "
        f"at most {MOST_OF_REFERENCE} of the reference)",
    )
    parser.add_argument(
        "--top", type=int, default=20, metavar="N", help="photographs in label_next.txt and on the page (default: 20)"
    )
    parser.add_argument(
        "--pseudo-labels",
        type=float,
        nargs="?",
        const=0.2,
        metavar="SHARE",
        help="write predictions as labels, of each class the surest SHARE (0.2, what CBST starts with)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        default=[],
        metavar="RESULTS",
        help="folders that tools/test.py wrote: compare the scores with the mIoU of the photographs that have labels",
    )
    add_model_flags(parser)
    parser.set_defaults(run=_run_gap)


def _run_gap(args: argparse.Namespace) -> int:
    args.config, words = split_config(args.paths)
    if len(words) != 2:
        raise InvalidInputError(
            f"expected [CONFIG] CHECKPOINT FOLDER, got {' '.join(args.paths)}", code="E-input-value"
        )
    args.checkpoint, folder = words
    for flag, value in (("--num-images", args.num_images), ("--top", args.top)):
        if value is not None and value < 1:
            raise InvalidInputError(f"{flag} {value}: expected 1 or more", code="E-input-range")
    share = args.pseudo_labels
    if share is not None and not 0 < share <= 1:
        raise InvalidInputError(
            f"--pseudo-labels {share}: expected a share of the pixels of each class, above 0, to 1",
            code="E-input-range",
        )

    from semseg.system.atomic import check_folder

    check_folder(args.out_dir, "out_dir")

    from semseg.analysis.gap import check_label_names, find_photographs, measure_photographs
    from semseg.analysis.gap_tables import make_sides
    from semseg.analysis.pseudo_labels import DoubtCounts

    here = find_photographs(folder, args.num_images, leave_out=[args.out_dir])
    there = find_photographs(args.reference, args.num_images or MOST_OF_REFERENCE, True, [args.out_dir])
    if share is not None:
        check_label_names(here.images)
    truth = _truth(args.results, [*here.images, *there.images])
    predictor = open_predictor(args, exported=False)
    counts = None if share is None else DoubtCounts(len(predictor.classes))
    found = []
    for side, some, own_counts in (("reference", there, None), ("folder", here, counts)):
        chosen = f"{len(some.images)} of " if len(some.images) < some.num_found else ""
        print(f"{side}: {some.folder}, {chosen}{some.num_found} images{f' ({some.note})' if some.note else ''}")
        with show_count(f"measuring the {side}") as show:
            done = 0

            def count(measured: Any) -> None:
                nonlocal done
                done += 1
                if measured.fault:
                    print(f"skipped {measured.source.path}: {measured.fault}", file=sys.stderr)
                show(done, len(some.images))  # noqa: B023  called within this round

            found.append(measure_photographs(predictor, some.images, own_counts, count))
        if not any(one.measures for one in found[-1]):
            raise InvalidInputError(
                f"none of the {len(found[-1])} images of {some.folder} could be measured, see above",
                code="E-input-none-left",
            )
    measured_there, measured_here = found
    failed = {
        name: [one for one in some if one.measures is None]
        for name, some in (("images", measured_here), ("reference", measured_there))
    }
    return _tell(args, predictor, (here, there), make_sides(measured_here, measured_there, truth), failed, counts)


def _tell(args: argparse.Namespace, predictor: Any, photographs: Any, measured: Any, failed: Any, counts: Any) -> int:
    """Write everything, and say the most important of it."""
    from semseg.analysis.gap import predict_again
    from semseg.analysis.gap_tables import summarize, write_keep_rates, write_summary, write_tables
    from semseg.analysis.report.gap_page import draw_views, write_page
    from semseg.checkpoints.facts import command_line, versions
    from semseg.system.atomic import atomic_path

    (here, there), (folder, reference) = photographs, measured
    out_dir, share = args.out_dir, args.pseudo_labels
    files = write_tables(out_dir, folder, reference, failed, args.top, predictor.classes)
    summary = summarize(folder, reference, predictor.classes)
    shown = [*folder.measured[: args.top], *folder.measured[args.top :][-NUM_EASIEST:]]
    shown_paths = {one.source.path for one in shown}
    pictures, labels = {}, _labels(out_dir, predictor, share, counts)

    def visit(source: Any, image: Any, prediction: Any) -> None:
        kept = labels.write(source, prediction) if labels else None
        if source.path in shown_paths:
            pictures[source.path] = draw_views(image, prediction.train_ids, prediction.entropy, kept, predictor.palette)

    revisited = folder.measured if labels else shown
    predict_again(predictor, [one.source for one in revisited], visit)
    keep_rates = None
    if labels:
        keep_rates = {"share": share, "per_class": _keep_rates(predictor.classes, labels)}
        write_keep_rates(out_dir / "keep_rates.csv", keep_rates["per_class"])
        files += ["keep_rates.csv", "pseudo_labels/"]
    if summary["correlation"]:
        from PIL import Image

        from semseg.visualization import charts

        groups = {"folder": folder, "reference": reference}
        points = {name: (side.features["score"], side.truth) for name, side in groups.items()}
        with atomic_path(out_dir / "correlation.png") as temporary:
            picture = charts.draw_scatter(points, "score", "mIoU of the photograph, %", _correlation_title(summary))
            Image.fromarray(picture).save(temporary)
        files.append("correlation.png")
    account = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "run": {"checkpoint": args.checkpoint, "command": command_line(), "versions": versions()},
        "classes": list(predictor.classes),
        "palette": [[int(value) for value in color] for color in predictor.palette],
        **{
            name: {
                "path": str(some.folder),
                "note": some.note,
                "num_found": some.num_found,
                "num_measured": len(side.measured),
                "num_failed": len(failed[table]),
            }
            for name, some, side, table in (
                ("folder", here, folder, "images"),
                ("reference", there, reference, "reference"),
            )
        },
        **summary,
        "pseudo_labels": keep_rates,
    }
    write_page(out_dir / "gap.html", account, folder, reference, shown, args.top, pictures)
    write_summary(out_dir, account)
    _print(account, folder, args.top)
    print(f"wrote {out_dir}: gap.html, gap.json, {', '.join(files)}")
    num_failed = sum(map(len, failed.values()))
    if num_failed:
        what = "1 image" if num_failed == 1 else f"{num_failed} images"
        print(f"{what} could not be measured, see the end of images.csv and reference.csv")
    return 1 if num_failed else 0


def _print(account: dict, folder: Side, top: int) -> None:
    print(f"\n{'mean':20}{'reference':>11}{'folder':>9}")
    for name, means in account["means"].items():
        print(f"{name:20}{means['reference']:11.3f}{means['folder']:9.3f}")
    print(f"class shares against the reference: {account['words'] or 'no clear difference'}")
    if account["correlation"]:
        print("rank correlation with mIoU (1: it orders the photographs as the truth does)")
    for name, rows in (account["correlation"] or {}).items():
        said = ", ".join(f"{where} {_interval(row)}" for where, row in rows.items() if row["value"] is not None)
        print(f"{name:20}{said or 'too few images'}")
    print("next to label:")
    for i, one in enumerate(folder.measured[: min(top, 5)]):
        print(f"  {folder.features['score'][i]:.3f}  {one.source.path}")


def _interval(row: dict) -> str:
    return f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}, {row['num_images']} images)"


def _correlation_title(summary: dict) -> str:
    rows = summary["correlation"]["score"]
    said = [f"{where} {_interval(row)}" for where, row in rows.items() if row["value"] is not None]
    return "rank correlation of 1 - score with mIoU, with 95 % intervals\n" + "\n".join(said)


def _labels(out_dir: Path, predictor: Any, share: float | None, counts: Any) -> Any:
    """Return what writes pseudo-labels, or None."""
    if share is None:
        return None
    from semseg.analysis.gap import PseudoLabels
    from semseg.inference import Outputs

    outputs = Outputs(out_dir, predictor.classes, predictor.palette)
    return PseudoLabels(out_dir / "pseudo_labels", outputs, counts.max_doubt(share))


def _keep_rates(classes: Sequence[str], labels: Any) -> list[dict]:
    return [
        {
            "class": name,
            "threshold": round(1 - float(doubt), 6) if pixels else None,
            "pixels": int(pixels),
            "kept": int(kept),
            "keep_rate": kept / pixels if pixels else None,
        }
        for name, doubt, pixels, kept in zip(classes, labels.max_doubt, labels.pixels, labels.kept, strict=True)
    ]


def _truth(folders: list[Path], images: Any) -> dict[Path, float]:
    """Return the mIoU of photographs by resolved path."""
    from semseg.evaluation.results import read_results

    wanted, found = {image.path.resolve() for image in images}, {}
    for folder in folders:
        rows = read_results(folder).images
        known = {Path(row["path"]).resolve(): float(row["mIoU"]) for row in rows if row["mIoU"]}
        if not known.keys() & wanted:
            raise InvalidInputError(
                f"--results {folder} is of other photographs, such as {rows[0]['path'] if rows else 'none'}: expected "
                f"some of this folder or of its reference, such as {images[0].path}",
                code="E-input-value",
            )
        found |= known
    return found
