"""Write masks as polygons for a GIS: `tools/dataset.py polygons`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.system.wording import for_people, listing


def add_polygons(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "polygons",
        help="write the masks of GeoTIFFs as polygons for a GIS: GeoPackage or GeoJSON",
        description=(
            "Write each class of the masks that tools/infer.py makes of GeoTIFFs as polygons along the borders of the "
            "pixels, with class, train id, area and file. 255 (no data) has no polygon. A GeoPackage gives exactly "
            "the same masks again, which is checked before it appears."
        ),
    )
    parser.add_argument("source", type=Path, metavar="MASKS", help="a mask with a place on the earth, or a folder")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="FILE.gpkg: all masks, in their CRS; a folder: one GeoPackage for each mask; FILE.geojson: longitude and "
        "latitude, which is not exact",
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="names of the classes: YAML or text file, a dataset.yaml, or the word cityscapes",
    )
    parser.set_defaults(run=_run_polygons)


def _run_polygons(args: argparse.Namespace) -> int:
    from semseg.datasets.map_polygons import Request, write_polygons

    with show_count("tracing") as show:
        written = write_polygons(Request(args.source, args.out, args.classes), show)
    print(f"{listing(written.paths)}: {written.num_polygons} polygons of {written.num_masks} masks")
    for note in written.notes:
        print(for_people(note))
    return 0
