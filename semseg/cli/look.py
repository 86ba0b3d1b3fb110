"""View a data set: `tools/dataset.py browse` and `stats`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, add_source, load_source, num_processes
from semseg.errors import InvalidInputError


def add_browse(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "browse",
        help="draw samples with their masks, as the network receives them",
        description=(
            "Draw samples of a split on one sheet, DIR/contact_sheet_SPLIT.jpg: the classes in colour over the "
            "images, ignored pixels hatched. For a config, samples are the output of its pipeline, augmented as "
            "the network receives them; for a dataset.yaml, they are the original pairs."
        ),
    )
    add_source(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="output folder of the sheet")
    parser.add_argument("--num", type=int, default=16, metavar="N", help="number of samples (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of choice and augmentation (default: 0)")
    parser.set_defaults(run=_run_browse)


def _run_browse(args: argparse.Namespace) -> int:
    if args.num < 1:
        raise InvalidInputError(f"--num is 1 or more, got {args.num}", code="E-input-range")
    if args.seed < 0:
        raise InvalidInputError(f"--seed is 0 or more, got {args.seed}", code="E-input-range")
    cfg = load_source(args)

    from semseg.datasets import samples
    from semseg.visualization import drawing
    from semseg.visualization.picture_files import save_jpeg

    if cfg is None:
        noun = "pairs"
        selection = samples.from_dataset_file(args.source, args.split, args.num, args.seed)
    else:
        noun = "samples as the network receives them"
        selection = samples.from_config(cfg, args.split, args.num, args.seed)
    count = f"{len(selection.samples)} of {selection.num_all} {noun}"
    title = f"{args.source.name}, {args.split}: {count}, seed {args.seed}"
    sheet = drawing.draw_contact_sheet(selection.samples, selection.classes, selection.palette, title)
    path = args.out / f"contact_sheet_{args.split}.jpg"
    save_jpeg(sheet, path)
    print(f"{path}: {count}")
    return 0


def add_stats(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "stats",
        help="count the pixels and images of each class, and compute class weights",
        description=(
            "Count the pixels of each class in the masks of a split, and the images that contain it. The last "
            "columns are class weights by common formulas, with mean 1 over the labelled pixels; set "
            "class_weight='auto:COLUMN' in a loss to use them."
        ),
    )
    add_source(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write class_statistics_SPLIT.csv and class_shares_SPLIT.png"
    )
    add_nproc(parser)
    parser.set_defaults(run=_run_stats)


def _run_stats(args: argparse.Namespace) -> int:
    processes = num_processes(args)
    cfg = load_source(args)

    from semseg.datasets import dataset_file, statistics

    with show_count("counting") as show:
        if cfg is None:
            counts = statistics.count_dataset_file(args.source, args.split, processes, show)
            rules = dataset_file.read_dataset_file(args.source)
            classes, palette = rules.classes, rules.palette
        else:
            from semseg.config.class_weights import count_config

            counts, metainfo = count_config(cfg, args.split, processes, show)
            classes, palette = metainfo["classes"], metainfo["palette"]
    title = f"{args.source.name}, {args.split}: {counts.num_images} images"
    print(title, *statistics.table(counts, classes), sep="\n")
    if args.out is not None:
        from semseg.system.atomic import atomic_path
        from semseg.visualization import charts
        from semseg.visualization.picture_files import save_picture

        csv_path = args.out / f"class_statistics_{args.split}.csv"
        chart_path = args.out / f"class_shares_{args.split}.png"
        shares, image_shares = list(counts.shares), list(counts.images / counts.num_images)
        chart = charts.draw_class_shares(shares, image_shares, classes, palette, counts.ignored_share, title)
        with atomic_path(csv_path) as temporary:
            statistics.write_csv(counts, classes, temporary)
        save_picture(chart, chart_path)
        print(f"wrote {csv_path}, {chart_path}")
    return 0
