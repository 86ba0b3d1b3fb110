#!/usr/bin/env python
"""Make, check and look at data sets."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from semseg.cli import add_debug_flag, run_tool

_TOYCITY_COUNTS = {"train": 200, "val": 40, "test": 20}
_ROSARIO_COUNTS = {"photos": 24, "labelled": 20}
_SIZE = "512x256"
_IMPORT_FORMATS = {  # SOURCE, what is read and in which order it is painted
    "labelme": (
        "a JSON file, or a folder of them",
        "labelme's JSON files; shapes are painted in file order, later ones over earlier ones. Polygons, "
        "rectangles, circles, lines and masks count, points do not.",
    ),
    "coco": (
        "the JSON file",
        "COCO's instances JSON; crowds are painted first, then larger areas before smaller ones, later "
        "ones over earlier ones. Polygons and run lengths.",
    ),
    "cvat": (
        "the XML file, or the folder that holds annotations.xml",
        "'CVAT for images 1.1' XML; shapes are painted by z_order, then in file order, later ones over "
        "earlier ones. Polygons, boxes, ellipses and masks count, points, cuboids and skeletons do not.",
    ),
    "colors": (
        "the folder of the masks",
        "coloured masks; each pixel has the colour of a class of --classes. Masks and images (--images) "
        "belong together by their names without suffix.",
    ),
}
_LINE_WIDTHS = {
    "labelme": "of lines (default: 10, as labelme draws them)",
    "cvat": "of polylines (default: they are left out)",
}


def main() -> int:
    args = _build_parser().parse_args()
    return args.run(args)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    _add_toycity(commands)
    _add_import(commands)
    _add_split(commands)
    _add_check(commands)
    _add_browse(commands)
    _add_stats(commands)
    _add_download(commands)
    _add_submit(commands)
    for command in commands.choices.values():
        add_debug_flag(command)
    return parser


def _add_toycity(commands) -> None:
    parser = commands.add_parser(
        "toycity",
        help="draw street scenes in the layout of Cityscapes",
        description=(
            "Draw street scenes with Cityscapes' classes. Style toycity writes ROOT/leftImg8bit and "
            "ROOT/gtFine exactly as Cityscapes does (polygons and label ids). Style rosario writes "
            "unlabelled photographs of another city to ROOT, and a small set of other streets with train-id "
            "masks to ROOT_labelled. The same seed gives the same files; files of an earlier run with the "
            "same names are replaced, others stay."
        ),
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder to write, such as data/toycity")
    parser.add_argument(
        "--style",
        choices=("toycity", "rosario"),
        default="toycity",
        help="what to draw (default: %(default)s)",
    )
    for name, count in _TOYCITY_COUNTS.items():
        parser.add_argument(
            f"--{name}",
            type=int,
            metavar="N",
            help=f"toycity: pictures of the split {name} (default: {count})",
        )
    parser.add_argument(
        "--size", metavar="WxH", help=f"toycity: width and height of the pictures (default: {_SIZE})"
    )
    for name, what in (("photos", "photographs without labels"), ("labelled", "pictures with masks")):
        parser.add_argument(
            f"--{name}", type=int, metavar="N", help=f"rosario: {what} (default: {_ROSARIO_COUNTS[name]})"
        )
    parser.add_argument(
        "--seed", type=int, default=0, help="both: other seeds draw other streets (default: 0)"
    )
    parser.add_argument(
        "--nproc",
        type=int,
        metavar="N",
        help="both: processes that draw (default: one per CPU); any gives the same files",
    )
    parser.set_defaults(run=_run_toycity)


def _run_toycity(args: argparse.Namespace) -> int:
    counts, others = _TOYCITY_COUNTS, _ROSARIO_COUNTS
    if args.style == "rosario":
        counts, others = _ROSARIO_COUNTS, {**_TOYCITY_COUNTS, "size": None}
    for name in others:
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} has no effect with --style {args.style}; leave it out")
    counts = {
        name: default if getattr(args, name) is None else getattr(args, name)
        for name, default in counts.items()
    }
    size = _parse_size(args.size or _SIZE)
    if not args.root.name:
        raise ValueError(f"ROOT needs a name of its own such as data/toycity, got '{args.root}'")

    from semseg import toycity

    if args.style == "toycity":
        pictures = toycity.plan_cityscapes(args.root, counts, size, args.seed)
        where = (
            f"{args.root}: wrote {counts['train']} train, {counts['val']} val, {counts['test']} test pictures"
        )
    else:
        pictures = toycity.plan_rosario(args.root, counts["photos"], counts["labelled"], args.seed)
        where = (
            f"{args.root}: wrote {counts['photos']} photographs; "
            f"{toycity.labelled_root(args.root)}: wrote {counts['labelled']} labelled pictures"
        )
    num_processes = _count_cpus() if args.nproc is None else args.nproc
    for _ in _show_progress(toycity.write_all(pictures, num_processes), len(pictures), "drawing"):
        pass
    print(where)
    return 0


def _add_import(commands) -> None:
    parser = commands.add_parser(
        "import",
        help="turn annotations of labelme, COCO, CVAT, or coloured masks into a data set",
        description=(
            "Turn annotations into index PNGs (DIR/train_ids/SPLIT) and a dataset.yaml that names them. "
            "The images stay where they are unless --copy is given. Further splits go into the same DIR."
        ),
    )
    formats = parser.add_subparsers(dest="format", title="formats", metavar="FORMAT", required=True)
    for name, (source, about) in _IMPORT_FORMATS.items():
        own = formats.add_parser(name, help=about.split(";")[0], description=about)
        own.add_argument("source", type=Path, metavar="SOURCE", help=source)
        own.add_argument("--out", type=Path, required=True, metavar="DIR", help="such as data/NAME")
        own.add_argument("--split", default="train", help="train, val or test (default: %(default)s)")
        own.add_argument("--images", type=Path, metavar="DIR", help="where the images are")
        own.add_argument(
            "--classes",
            metavar="FILE",
            help="YAML or text with the classes in their order, or the word cityscapes; default: "
            "those of DIR/dataset.yaml where it has other splits, else all that occur (COCO: all "
            "categories), sorted by name",
        )
        own.add_argument(
            "--map",
            nargs="+",
            action="extend",
            default=[],
            metavar="LABEL=CLASS",
            help="labels (coloured masks: '#rrggbb') that become another class, or ignore (255)",
        )
        if name == "colors":
            own.add_argument("--mask-suffix", nargs="+", default=[], help="ends of mask names (.png)")
            own.add_argument("--image-suffix", nargs="+", default=[], help="ends of image names")
            own.add_argument(
                "--snap",
                type=float,
                metavar="N",
                help="take an unknown colour for the nearest one, up to this RGB distance",
            )
        else:
            own.add_argument("--background", metavar="CLASS", help="class of unpainted pixels (default: 255)")
        if name == "coco":
            own.add_argument(
                "--order",
                choices=("area", "file"),
                default="area",
                help="of painting; file: for objects whose hidden parts are drawn too (default: %(default)s)",
            )
        if name in ("labelme", "cvat"):
            own.add_argument("--line-width", type=int, metavar="PX", help=_LINE_WIDTHS[name])
        own.add_argument(
            "--skip-broken", action="store_true", help="leave out absent images and undrawable shapes"
        )
        own.add_argument("--copy", action="store_true", help="copy the images to DIR/images")
        own.add_argument(
            "--overwrite", action="store_true", help="replace a split, or a dataset.yaml, from elsewhere"
        )
        own.add_argument("--nproc", type=int, metavar="N", help="processes (default: one per CPU)")
        add_debug_flag(own)
    parser.set_defaults(run=_run_import)


def _run_import(args: argparse.Namespace) -> int:
    from semseg.prepare import imports

    plan = imports.plan(
        imports.Request(
            format=args.format,
            source=args.source,
            out_dir=args.out,
            split=args.split,
            images_dir=args.images,
            classes=args.classes,
            label_map=tuple(args.map),
            background=getattr(args, "background", None),
            order=getattr(args, "order", "area"),
            line_width_px=getattr(args, "line_width", None),
            mask_suffix=tuple(getattr(args, "mask_suffix", ())),
            image_suffix=tuple(getattr(args, "image_suffix", ())),
            snap=getattr(args, "snap", None),
            skip_broken=args.skip_broken,
            copy=args.copy,
            overwrite=args.overwrite,
            num_processes=_count_cpus() if args.nproc is None else args.nproc,
        )
    )
    with _show_count("painting") as show:
        unpainted_share = plan.write(show)
    print("\n".join(plan.describe(unpainted_share)))
    return 0


def _add_split(commands) -> None:
    parser = commands.add_parser(
        "split",
        help="divide a data set into train, val, test, keeping neighbours together",
        description=(
            "Divide all pairs of a data set anew. Groups (a street, a sequence, a city) stay whole, so that "
            "no picture is tested whose neighbour was trained on. Many random orders of the groups are "
            "tried; the one whose sizes come nearest to the fractions is taken. Writes SPLIT_pairs.csv and "
            "dataset.yaml."
        ),
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a dataset.yaml, or its folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="folder for the new dataset.yaml; files stay")
    where.add_argument("--in-place", action="store_true", help="change SOURCE; the old files become *.bak")
    parser.add_argument(
        "--fractions",
        nargs="+",
        default=["train=0.7", "val=0.15", "test=0.15"],
        metavar="SPLIT=SHARE",
        help="shares of the images (default: train=0.7 val=0.15 test=0.15)",
    )
    parser.add_argument(
        "--group-by",
        required=True,
        metavar="RULE",
        help="folder (of the image), prefix (its name up to the last number), or regex:PATTERN (searched "
        "in its path; the groups in brackets, or all that matches)",
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds divide otherwise (default: 0)")
    parser.set_defaults(run=_run_split)


def _run_split(args: argparse.Namespace) -> int:
    from semseg.prepare import split

    division = split.divide(args.source, split.parse_fractions(args.fractions), args.group_by, args.seed)
    path = division.write(args.out)
    print(f"{path}: divided by {args.group_by}, seed {args.seed}")
    print("\n".join(division.table()))
    return 0


def _add_check(commands) -> None:
    parser = commands.add_parser(
        "check",
        help="look for all that would spoil a training, before it starts",
        description=(
            "Check the files, masks and classes of a config or a dataset.yaml. Exit code 2: there are errors. "
            "tools/train.py and tools/test.py check first too (--no-check: they don't). What was read is "
            "remembered by path, size and time of change in ~/.cache/semseg, or in SEMSEG_CACHE."
        ),
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a config (.py), or a dataset.yaml")
    parser.add_argument(
        "--split", nargs="+", choices=("train", "val", "test"), default=[], help="default: all"
    )
    parser.add_argument(
        "--deep", action="store_true", help="decode every image; finds pictures of two splits that look the same"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings here too")
    parser.add_argument("--data", metavar="FILE", help="with a config: a dataset.yaml in place of its data")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="with a config: override its values",
    )
    parser.add_argument("--nproc", type=int, metavar="N", help="processes (default: one per CPU)")
    parser.set_defaults(run=_run_check)


def _run_check(args: argparse.Namespace) -> int:
    num_processes = _count_cpus() if args.nproc is None else args.nproc
    if num_processes < 1:
        raise ValueError(f"--nproc is 1 or more, got {num_processes}")
    cfg = _load_source(args)

    from semseg.checks.dataset import check_config, check_dataset_file

    check, source = (check_dataset_file, args.source) if cfg is None else (check_config, cfg)
    with _show_count("checking") as show:
        report = check(source, args.split, deep=args.deep, num_processes=num_processes, on_progress=show)
    print("\n".join(report.lines()))
    if args.json is not None:
        report.write_json(args.json)
    return 2 if report.of_kind("error") else 0


def _add_browse(commands) -> None:
    parser = commands.add_parser(
        "browse",
        help="paint samples with their masks, as the network receives them",
        description=(
            "Paint samples of a split on one sheet, DIR/contact_sheet_SPLIT.jpg: the classes over the "
            "pictures, ignored pixels hatched. Those of a config come out of its pipeline, augmented as the "
            "network receives them; those of a dataset.yaml are the plain pairs."
        ),
    )
    _add_source(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the sheet goes")
    parser.add_argument("--num", type=int, default=16, metavar="N", help="of samples (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="other seeds choose and augment otherwise (default: 0)"
    )
    parser.set_defaults(run=_run_browse)


def _run_browse(args: argparse.Namespace) -> int:
    if args.num < 1:
        raise ValueError(f"--num is 1 or more, got {args.num}")
    if args.seed < 0:
        raise ValueError(f"--seed is 0 or more, got {args.seed}")
    cfg = _load_source(args)

    from PIL import Image

    from semseg import drawing, samples
    from semseg.atomic import atomic_path

    if cfg is None:
        what = "pairs"
        found = samples.from_dataset_file(args.source, args.split, args.num, args.seed)
    else:
        what = "samples as the network receives them"
        found = samples.from_config(cfg, args.split, args.num, args.seed)
    count = f"{len(found.samples)} of {found.num_all} {what}"
    title = f"{args.source.name}, {args.split}: {count}, seed {args.seed}"
    sheet = drawing.contact_sheet(found.samples, found.classes, found.palette, title)
    path = args.out / f"contact_sheet_{args.split}.jpg"
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, quality=90, subsampling=0)
    print(f"{path}: {count}")
    return 0


def _add_stats(commands) -> None:
    parser = commands.add_parser(
        "stats",
        help="count pixels and images of each class, and the class weights that follow",
        description=(
            "Count the pixels of each class in the masks of a split, and the images that hold it. The last "
            "columns are class weights by usual formulas, all with mean 1 over the labelled pixels; a loss "
            "takes them as class_weight='auto:COLUMN'."
        ),
    )
    _add_source(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write class_statistics_SPLIT.csv and class_shares_SPLIT.png"
    )
    parser.add_argument("--nproc", type=int, metavar="N", help="processes (default: one per CPU)")
    parser.set_defaults(run=_run_stats)


def _run_stats(args: argparse.Namespace) -> int:
    num_processes = _count_cpus() if args.nproc is None else args.nproc
    if num_processes < 1:
        raise ValueError(f"--nproc is 1 or more, got {num_processes}")
    cfg = _load_source(args)

    from semseg.prepare import dataset_file, statistics

    with _show_count("counting") as show:
        if cfg is None:
            counts = statistics.count_dataset_file(args.source, args.split, num_processes, show)
            rules = dataset_file.read_dataset_file(args.source)
            classes, palette = rules.classes, rules.palette
        else:
            from semseg.config_weights import count_config

            counts, metainfo = count_config(cfg, args.split, num_processes, show)
            classes, palette = metainfo["classes"], metainfo["palette"]
    title = f"{args.source.name}, {args.split}: {counts.num_images} images"
    print(title, *statistics.table(counts, classes), sep="\n")
    if args.out is not None:
        from PIL import Image

        from semseg import charts
        from semseg.atomic import atomic_path

        csv_path = args.out / f"class_statistics_{args.split}.csv"
        chart_path = args.out / f"class_shares_{args.split}.png"
        image_shares = counts.images / counts.num_images
        chart = charts.class_shares(
            counts.shares, image_shares, classes, palette, counts.ignored_share, title
        )
        with atomic_path(csv_path) as temporary:
            statistics.write_csv(counts, classes, temporary)
        with atomic_path(chart_path) as temporary:
            Image.fromarray(chart).save(temporary)
        print(f"wrote {csv_path}, {chart_path}")
    return 0


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a config (.py), or a dataset.yaml")
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="train", help="default: %(default)s"
    )
    parser.add_argument("--data", metavar="FILE", help="with a config: a dataset.yaml in place of its data")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="with a config: override its values",
    )


def _load_source(args: argparse.Namespace):
    """Return the finished config, or None where SOURCE is a dataset.yaml."""
    if args.source.suffix == ".py":
        from semseg.config import load_config

        return load_config(args.source, args.cfg_options, data=args.data)
    for flag, given in (("--data", args.data), ("--cfg-options", args.cfg_options)):
        if given:
            raise ValueError(f"{flag} belongs to a config (.py), not to {args.source}; leave it out")
    return None


def _add_download(commands) -> None:
    parser = commands.add_parser(
        "download-cityscapes",
        help="download Cityscapes with your account, verify and unpack it",
        description=(
            "Download packages of Cityscapes with your own account (register at www.cityscapes-dataset.com), "
            "verify and unpack them. A broken download goes on where it stopped; what is there already is "
            "left alone. The account is taken from CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD, else from "
            "the netrc file (machine www.cityscapes-dataset.com), else you are asked; it is written nowhere."
        ),
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder to fill, such as data/cityscapes")
    parser.add_argument(
        "--packages",
        nargs="+",
        metavar="NAME",
        help="as the download page names them (default: gtFine_trainvaltest leftImg8bit_trainvaltest)",
    )
    parser.add_argument(
        "--keep-archives", action="store_true", help="else they are deleted when they are unpacked"
    )
    parser.set_defaults(run=_run_download)


def _run_download(args: argparse.Namespace) -> int:
    from semseg.prepare import account, download

    ask = _ask_for_account if sys.stdin.isatty() and sys.stderr.isatty() else None
    try:
        with _show_bytes() as show:
            outcomes = download.download(
                args.root,
                args.packages or download.PACKAGES,
                lambda host: account.find_account(host, ask),
                keep_archives=args.keep_archives,
                on_progress=show,
            )
    except download.DownloadError as error:
        if args.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, (num_files, is_new) in outcomes.items():
        what = "downloaded, verified and unpacked" if is_new else "there already"
        print(f"{args.root}: {name} {what}, {num_files} files")
    return 0


def _ask_for_account(host: str) -> tuple[str, str]:
    import getpass

    print(f"{host}, name or e-mail address: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip(), getpass.getpass("password: ")


def _add_submit(commands) -> None:
    parser = commands.add_parser(
        "submit-cityscapes",
        help="turn predictions into the archive that the Cityscapes server takes",
        description=(
            "Translate predicted train ids, as tools/test.py --out and tools/infer.py write them, into label "
            "ids, and zip them. Every image of the split must have one prediction, of its size."
        ),
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of PNGs, or of folders")
    parser.add_argument("--out", type=Path, required=True, metavar="ZIP", help="such as submission.zip")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data/cityscapes"),
        help="the dataset, whose images say what belongs in (default: %(default)s)",
    )
    parser.add_argument("--split", default="test", help="default: %(default)s")
    parser.set_defaults(run=_run_submit)


def _run_submit(args: argparse.Namespace) -> int:
    from semseg.prepare import submit

    with _show_count("packing") as show:
        num_images = submit.pack(args.predictions, args.out, args.root, args.split, show)
    print(f"{args.out}: {num_images} predictions of {args.split}")
    return 0


def _parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ValueError(f"--size is WIDTHxHEIGHT such as {_SIZE}, got '{text}'")
    return int(width), int(height)


def _count_cpus() -> int:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _show_count(what: str) -> Iterator[Callable[[int, int], None]]:
    """Lend a function of (done, total) that moves a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # refreshed by hand: a refreshing thread and forked processes do not go together
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(
            task, completed=done, total=total, refresh=done % 10 == 0 or done == total
        )


@contextmanager
def _show_bytes() -> Iterator[Callable[[str, int, int], None]]:
    """Lend a function of (what, bytes done, bytes of all) that moves progress bars if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
    bar = progress.Progress(
        "{task.description}", progress.BarColumn(), *columns, console=Console(stderr=True)
    )
    tasks = {}

    def show(what: str, done: int, total: int) -> None:
        bar.start()  # not before: the account may be asked for
        if what not in tasks:
            tasks[what] = bar.add_task(what, completed=done)
        bar.update(tasks[what], completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def _show_progress(items: Iterable, total: int, what: str) -> Iterable:
    """Pass items through, with a progress bar if somebody watches."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total, console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    run_tool(main)
