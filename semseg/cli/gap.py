"""Measure a model on photographs of another city, without labels: `tools/analyze.py gap`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from semseg.cli.exports import FORMATS
from semseg.cli.gap_package import check_package, guess_path, write_package
from semseg.cli.predictor import add_model_flags, open_predictor, split_config
from semseg.cli.progress import show_count
from semseg.errors import InvalidInputError

MAX_REFERENCE_IMAGES = 200
"""Default limit of images of the reference; enough to resolve 0.5 % of its distribution."""
NUM_EASIEST = 4


def add_gap(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "gap",
        help="measure a model on photographs without labels: which to label next, and pseudo-labels",
        description=(
            "Compare the predictions of a model for photographs without labels with those for a reference, such as "
            "Cityscapes: confidence, agreement with the mirror image, and the share of each class. Writes a ranking "
            "of the photographs, hardest first, and an HTML page. If the reference has the layout of Cityscapes, its "
            "split val is used (else test, else train), because a model is more confident on its training images."
        ),
        usage="%(prog)s [CONFIG] CHECKPOINT FOLDER --reference FOLDER [options]",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="[CONFIG] CHECKPOINT FOLDER",
        help="config: not needed if the checkpoint contains it; the folder is searched recursively",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="FOLDER",
        help="photographs similar to the training images, but not used in training; or a root in Cityscapes' layout",
    )
    parser.add_argument("--out-dir", type=Path, default=Path("outputs/gap"), help="default: outputs/gap")
    parser.add_argument(
        "--num-images",
        type=int,
        metavar="N",
        help="measure N evenly spaced images of each side (default: all of the folder, "
        f"at most {MAX_REFERENCE_IMAGES} of the reference)",
    )
    parser.add_argument(
        "--top",
        type=int,
        default=20,
        metavar="N",
        help="photographs in label_next.txt and on the page: hard ones that differ from each other (default: 20)",
    )
    parser.add_argument(
        "--package",
        choices=FORMATS,
        metavar="FORMAT",
        help="write the photographs of label_next.txt and their predictions to label_next/, to be corrected with a "
        f"labelling tool: {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--pseudo-labels",
        type=float,
        nargs="?",
        const=0.2,
        metavar="SHARE",
        help="write predictions as labels: the most confident SHARE of each class (0.2 if no value is given)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        default=[],
        metavar="RESULTS",
        help="results folders of tools/test.py: compare the scores with the mIoU of the photographs that have labels",
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
            f"--pseudo-labels {share}: expected a share of the pixels of each class, above 0 and at most 1",
            code="E-input-range",
        )

    from semseg.system.atomic import check_folder

    check_folder(args.out_dir, "out_dir")

    from semseg.analysis.gap import check_label_names, find_photographs, measure_photographs
    from semseg.analysis.gap_tables import make_sides
    from semseg.analysis.pseudo_labels import DoubtCounts

    folder_images = find_photographs(folder, args.num_images, leave_out=[args.out_dir])
    reference_images = find_photographs(args.reference, args.num_images or MAX_REFERENCE_IMAGES, True, [args.out_dir])
    if share is not None:
        check_label_names(folder_images.images)
    truth = _truth(args.results, [*folder_images.images, *reference_images.images])
    predictor = open_predictor(args, exported=False)
    if args.package:
        check_package(args.out_dir, folder_images.images, predictor.exif)
    counts = None if share is None else DoubtCounts(len(predictor.classes))
    measured_sides = []
    for side, photographs, doubt_counts in (("reference", reference_images, None), ("folder", folder_images, counts)):
        num_images = len(photographs.images)
        chosen = f"{num_images} of " if num_images < photographs.num_found else ""
        note = f" ({photographs.note})" if photographs.note else ""
        print(f"{side}: {photographs.folder}, {chosen}{photographs.num_found} images{note}")
        with show_count(f"measuring the {side}") as show:
            num_done = 0

            def count(measured: Any) -> None:
                nonlocal num_done
                num_done += 1
                if measured.fault:
                    print(f"skipped {measured.source.path}: {measured.fault}", file=sys.stderr)
                show(num_done, num_images)  # noqa: B023  called within this iteration

            measured_sides.append(measure_photographs(predictor, photographs.images, doubt_counts, count))
        if not any(image.measures for image in measured_sides[-1]):
            raise InvalidInputError(
                f"none of the {len(measured_sides[-1])} images of {photographs.folder} could be measured, see above",
                code="E-input-none-left",
            )
    reference_measured, folder_measured = measured_sides
    failed = {
        table: [image for image in measured if image.measures is None]
        for table, measured in (("images", folder_measured), ("reference", reference_measured))
    }
    sides = make_sides(folder_measured, reference_measured, truth)
    return _write_results(args, predictor, (folder_images, reference_images), sides, failed, counts)


def _write_results(
    args: argparse.Namespace, predictor: Any, photographs: Any, sides: Any, failed: Any, counts: Any
) -> int:
    """Write all files, and print a summary."""
    from semseg.analysis.gap import predict_again
    from semseg.analysis.gap_choice import choose_next
    from semseg.analysis.gap_tables import summarize, write_keep_rates, write_summary, write_tables
    from semseg.analysis.report.gap_page import draw_views, write_page
    from semseg.checkpoints.facts import command_line, versions
    from semseg.datasets.index_png import write_index_png

    (folder_images, reference_images), (folder, reference) = photographs, sides
    out_dir, share = args.out_dir, args.pseudo_labels
    order = choose_next(folder.features["score"], folder.shares, args.top)
    chosen = [folder.measured[i] for i in order]
    files = write_tables(out_dir, folder, reference, failed, chosen, predictor.classes)
    summary = summarize(folder, reference, predictor.classes)
    others = [image for i, image in enumerate(folder.measured) if i not in set(order)]
    shown = [*chosen, *others[-NUM_EASIEST:]]
    shown_paths = {image.source.path for image in shown}
    chosen_paths = {image.source.path for image in chosen} if args.package else set()
    pictures, labels = {}, _labels(out_dir, predictor, share, counts)

    def visit(source: Any, image: Any, prediction: Any) -> None:
        kept = labels.write(source, prediction) if labels else None
        if source.path in chosen_paths:
            write_index_png(guess_path(out_dir, source), prediction.train_ids, predictor.palette)
        if source.path in shown_paths:
            pictures[source.path] = draw_views(image, prediction.train_ids, prediction.entropy, kept, predictor.palette)

    revisited = folder.measured if labels else shown
    predict_again(predictor, [image.source for image in revisited], visit)
    keep_rates = None
    if labels:
        keep_rates = {"share": share, "per_class": _keep_rates(predictor.classes, labels)}
        write_keep_rates(out_dir / "keep_rates.csv", keep_rates["per_class"])
        files += ["keep_rates.csv", "pseudo_labels/"]
    if summary["correlation"]:
        from semseg.visualization import charts
        from semseg.visualization.picture_files import save_picture

        groups = {"folder": folder, "reference": reference}
        points = {name: (side.features["score"], side.truth) for name, side in groups.items()}
        picture = charts.draw_scatter(points, "score", "mIoU of the photograph, %", _correlation_title(summary))
        save_picture(picture, out_dir / "correlation.png")
        files.append("correlation.png")
    report = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "run": {"checkpoint": args.checkpoint, "command": command_line(), "versions": versions()},
        "classes": list(predictor.classes),
        "palette": [[int(value) for value in color] for color in predictor.palette],
        **{
            name: {
                "path": str(images.folder),
                "note": images.note,
                "num_found": images.num_found,
                "num_measured": len(side.measured),
                "num_failed": len(failed[table]),
            }
            for name, images, side, table in (
                ("folder", folder_images, folder, "images"),
                ("reference", reference_images, reference, "reference"),
            )
        },
        **summary,
        "pseudo_labels": keep_rates,
    }
    write_page(out_dir / "gap.html", report, folder, reference, shown, len(chosen), pictures)
    about_package = write_package(args.package, out_dir, chosen, predictor) if args.package else []
    write_summary(out_dir, report)
    _print(report, [(folder.features["score"][i], folder.measured[i]) for i in order[:5]])
    print(f"wrote {out_dir}: gap.html, gap.json, {', '.join(files)}")
    print("".join(f"{line}\n" for line in about_package), end="")
    num_failed = sum(map(len, failed.values()))
    if num_failed:
        num_images = "1 image" if num_failed == 1 else f"{num_failed} images"
        print(f"{num_images} could not be measured, see the end of images.csv and reference.csv")
    return 1 if num_failed else 0


def _print(report: dict, listed: list[tuple[float, Any]]) -> None:
    print(f"\n{'mean':20}{'reference':>11}{'folder':>9}")
    for name, means in report["means"].items():
        print(f"{name:20}{means['reference']:11.3f}{means['folder']:9.3f}")
    print(f"class shares compared with the reference: {report['words'] or 'no clear difference'}")
    if report["correlation"]:
        print("rank correlation with mIoU (1: same order of the photographs as by mIoU)")
    for name, rows in (report["correlation"] or {}).items():
        values = ", ".join(f"{side} {_interval(row)}" for side, row in rows.items() if row["value"] is not None)
        print(f"{name:20}{values or 'too few images'}")
    print("photographs to label next:")
    for score, image in listed:
        print(f"  {score:.3f}  {image.source.path}")


def _interval(row: dict) -> str:
    return f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}, {row['num_images']} images)"


def _correlation_title(summary: dict) -> str:
    rows = summary["correlation"]["score"]
    lines = [f"{side} {_interval(row)}" for side, row in rows.items() if row["value"] is not None]
    return "rank correlation of 1 - score with mIoU, with 95 % intervals\n" + "\n".join(lines)


def _labels(out_dir: Path, predictor: Any, share: float | None, counts: Any) -> Any:
    """Return the writer of pseudo-labels, or None."""
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

    paths, truth = {image.path.resolve() for image in images}, {}
    for folder in folders:
        rows = read_results(folder).images
        miou_by_path = {Path(row["path"]).resolve(): float(row["mIoU"]) for row in rows if row["mIoU"]}
        if not miou_by_path.keys() & paths:
            raise InvalidInputError(
                f"--results {folder} has other photographs, such as {rows[0]['path'] if rows else 'none'}; expected "
                f"some of the folder or of the reference, such as {images[0].path}",
                code="E-input-value",
            )
        truth |= miou_by_path
    return truth
