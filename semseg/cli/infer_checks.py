"""Check the options of `tools/infer.py`, `semseg infer`, before the model is loaded."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from semseg.errors import InvalidInputError
from semseg.system.objects.addresses import Address, refuse_address

DEFAULTS = {
    "no_vis": False,
    "legend": False,
    "outlines": False,
    "geojson": None,
    "keep_suffix": False,
    "max_pixels": None,
    "batch": "auto",
    "smooth": 0.0,
    "opacity": 0.6,
}
"""Defaults of the options that have no effect on some inputs."""

_IMAGE_OPTIONS = ("no_vis", "legend", "geojson", "keep_suffix", "max_pixels", "batch")
_VIDEO_OPTIONS = ("smooth",)
_OVERLAY_OPTIONS = ("opacity", "legend", "outlines")


def check_options(args: argparse.Namespace, save: list[str], is_video: bool, num_processes: int) -> None:
    """Raise before the model is loaded if an option has no effect, or a folder cannot be written to."""
    from semseg.system.atomic import check_folder

    def refuse(names: tuple[str, ...], reason: str) -> None:
        for name in names:
            if getattr(args, name) != DEFAULTS[name]:
                raise InvalidInputError(
                    f"--{name.replace('_', '-')} has no effect {reason}; leave it out", code="E-input-no-effect"
                )

    if is_video:
        from semseg.inference.video import check_video_kinds

        refuse(_IMAGE_OPTIONS, "on videos")
        if isinstance(args.out_dir, Address):
            raise InvalidInputError(
                f"`out_dir` {args.out_dir}: videos are written to disks only; expected a folder", code="E-input-kind"
            )
        check_video_kinds(save)
    else:
        refuse(_VIDEO_OPTIONS, "on images")
        if args.no_vis and "vis" in save:
            raise InvalidInputError(
                "--no-vis and --save vis contradict each other; leave one out", code="E-input-conflict"
            )
        if args.no_vis and "side-by-side" not in save:
            refuse(_OVERLAY_OPTIONS, "with --no-vis")
    if args.shard is not None and args.geojson is not None:
        raise InvalidInputError(
            f"`geojson` needs the places of all shards; write it with --merge {args.out_dir} `geojson` {args.geojson}",
            code="E-input-no-effect",
        )
    if isinstance(args.out_dir, Address):
        if args.shard is not None or num_processes > 1:
            what, remedy = "shards", "leave out `shard`"
            if args.shard is None:
                what, remedy = "several processes", "use tools/infer.py"
            raise InvalidInputError(
                f"`out_dir` {args.out_dir}: {what} share the tables of a folder, which a storage cannot; {remedy}, or"
                " give a folder",
                code="E-input-kind",
            )
        from semseg.system.objects.object_store import check_storage

        check_storage(args.out_dir)
    else:
        check_folder(args.out_dir, "out_dir")
    if args.geojson is not None:
        refuse_address(args.geojson, "geojson")
        check_folder(args.geojson.parent, "geojson")


def check_tiled_outputs(args: argparse.Namespace, images: Sequence, save: list[str]) -> None:
    """Raise before the model is loaded if `save` has outputs that are not written for images segmented by tiles."""
    from semseg.inference.reading import MAX_PIXELS
    from semseg.system.folders import TIFF_SUFFIXES

    if not args.tile or not save:
        return
    for image in images:
        is_tiff = image.path.suffix.lower() in TIFF_SUFFIXES
        # an object is not read twice to find out its size
        if is_tiff and (isinstance(image.path, Address) or _num_pixels(image.path) > (args.max_pixels or MAX_PIXELS)):
            break
    else:
        return
    raise InvalidInputError(
        f"--save {','.join(save)}: {image.path} is segmented by tiles, for which only pred and vis are written; leave"
        " --save out, or segment this file separately",
        code="E-input-kind",
    )


def _num_pixels(path: Path) -> int:
    """Return how many pixels a picture has; 0 if it cannot be read, which is reported later."""
    from semseg.datasets.photographs import open_photograph
    from semseg.datasets.stored_bands import read_header

    with contextlib.suppress(Exception), open_photograph(path) as (picture, _):
        return picture.width * picture.height
    with contextlib.suppress(ValueError):  # of other bands than a photograph has
        header = read_header(path, "ignore")
        return header.width * header.height
    return 0
