"""List the configs of this project: `tools/model.py list`, `semseg model list`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.errors import InvalidInputError


def add_list(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "list",
        help="list the configs with their size, operations and scores",
        description=(
            "List the configs of this project: architecture, parameters, operations, the mIoU that MMSegmentation has "
            "published for a config of the same name, its memory in training, and what was measured here. Operations "
            "are multiply-accumulates (MACs), which most publications call FLOPs."
        ),
    )
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="text in the name, such as segformer, or *r18*")
    parser.add_argument("--data", metavar="NAME", help="data set, such as cityscapes")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the list as a CSV file")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="chart of published mIoU and cost: .html (interactive) or .png"
    )
    parser.set_defaults(run=_run_list)


def _run_list(args: argparse.Namespace) -> int:
    if args.plot is not None and args.plot.suffix.lower() not in (".html", ".png"):
        raise InvalidInputError(f"--plot {args.plot}: expected a name that ends in .html or .png", code="E-input-value")

    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.analysis import model_list
    from semseg.cli.progress import show_count
    from semseg.config.recipes import recipes, recipes_dir
    from semseg.system.atomic import atomic_path
    from semseg.system.machine import num_cpus

    measured = model_list.read_measured(recipes_dir() / model_list.MEASURED_FILE)
    with show_count("models") as on_progress:
        models = model_list.list_models(
            recipes(), args.pattern, args.data, measured=measured, num_processes=num_cpus(), on_progress=on_progress
        )
    if args.csv is None and args.plot is None:
        print(*model_list.table(models), sep="\n")
    if args.csv is not None:
        with atomic_path(args.csv) as temporary:
            model_list.write_csv(models, temporary)
        print(f"wrote {args.csv}: {len(models)} configs")
    if args.plot is not None:
        from semseg.analysis import model_charts

        if args.plot.suffix.lower() == ".html":
            page = model_charts.chart_page(models)
            with atomic_path(args.plot) as temporary:
                temporary.write_text(page)
        else:
            from semseg.visualization.picture_files import save_picture

            save_picture(model_charts.draw_models(models), args.plot)
        print(f"wrote {args.plot}")
    return 0
