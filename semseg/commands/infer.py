"""What `tools/infer.py` does with its command line."""

from __future__ import annotations

import argparse
import sys
import warnings

from semseg.commands.predictor import open_predictor

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
"""Of the options that have no effect in some mode."""


def run_infer(args: argparse.Namespace) -> int:
    """Segment what `tools/infer.py` was asked to, and return its exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about metadata of photographs, line by line
    from semseg.inference import Outputs, find_images, infer, is_video
    from semseg.inference.outputs import SUFFIXES, check_kinds, check_sources_stay
    from semseg.inference.reading import MAX_PIXELS
    from semseg.inference.stream import rank_and_size

    rank, num_ranks = rank_and_size(args.launcher)

    def say(sentence: str) -> None:
        if rank == 0:
            print(sentence, file=sys.stderr)

    save = [kind for kind in args.save.split(",") if kind]
    videos = [source for source in args.inputs if is_video(source)]
    if videos and len(videos) < len(args.inputs):
        raise ValueError(f"{videos[0]} is a video: segment videos and images one after the other")
    _check_options(args, save, bool(videos))
    if videos:
        return _videos(args, videos, save)
    kinds = list(dict.fromkeys(["pred", *([] if args.no_vis else ["vis"]), *save]))
    max_pixels = args.max_pixels or MAX_PIXELS
    images = find_images(
        *args.inputs,
        leave_out=[args.out_dir, *(args.out_dir / kind for kind in SUFFIXES)],
        keep_suffix=args.keep_suffix,
        on_note=say,
    )
    check_kinds(kinds)
    check_sources_stay(images, args.out_dir, kinds)
    if args.tile:
        _check_tiled(images, kinds, max_pixels)
    predictor = open_predictor(args, rank)
    outputs = Outputs(
        args.out_dir,
        predictor.classes,
        predictor.palette,
        kinds,
        opacity=args.opacity,
        legend=args.legend,
        outlines=args.outlines,
    )
    summary = infer(
        predictor,
        images,
        outputs,
        batch=None if args.batch == "auto" else int(args.batch),
        skip_existing=args.skip_existing,
        stop_on_error=args.on_error == "stop",
        max_pixels=max_pixels,
        geojson=args.geojson,
        rank=rank,
        num_ranks=num_ranks,
    )
    print("\n".join(summary.lines(outputs)))
    return 1 if summary.failed else 0


_OF_IMAGES = ("no_vis", "legend", "geojson", "keep_suffix", "max_pixels", "batch")
_OF_VIDEOS = ("smooth",)
_OF_OVERLAYS = ("opacity", "legend", "outlines")


def _check_options(args: argparse.Namespace, save: list[str], of_videos: bool) -> None:
    """Refuse options that would have no effect, and folders that cannot be written to, before the model is loaded."""
    from semseg.atomic import check_folder

    def refuse(names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(args, name) != DEFAULTS[name]:
                raise ValueError(f"--{name.replace('_', '-')} has no effect {why}; leave it out")

    if of_videos:
        from semseg.inference.video import check_extras

        refuse(_OF_IMAGES, "on videos")
        check_extras(save)
    else:
        refuse(_OF_VIDEOS, "on images")
        if args.no_vis and "vis" in save:
            raise ValueError("--no-vis and --save vis contradict each other; leave one out")
        if args.no_vis and "side-by-side" not in save:
            refuse(_OF_OVERLAYS, "with --no-vis")
    check_folder(args.out_dir, "--out-dir")
    if args.geojson is not None:
        check_folder(args.geojson.parent, "--geojson")


def _check_tiled(images, kinds: list[str], max_pixels: int) -> None:
    """Refuse outputs that a TIFF file which goes by tiles would not get."""
    from semseg.folders import TIFF_SUFFIXES
    from semseg.inference.outputs import TILED
    from semseg.inference.reading import picture_size

    without = [kind for kind in kinds if kind not in TILED]
    if not without:
        return
    for image in images:
        if image.path.suffix.lower() in TIFF_SUFFIXES:
            height, width = picture_size(image.path) or (0, 0)
            if height * width > max_pixels:
                raise ValueError(
                    f"{image.path}, {width}x{height} pixels, goes by tiles, of which {' and '.join(TILED)} are written:"
                    f" leave out --save {','.join(without)}, or segment it apart from the others"
                )


def _videos(args: argparse.Namespace, videos: list[str], save: list[str]) -> int:
    from semseg.inference import Outputs
    from semseg.inference.video import segment_videos

    if args.launcher != "none":
        raise ValueError(f"{videos[0]} is a video: its frames follow one another, use tools/infer.py")
    predictor = open_predictor(args)
    outputs = Outputs(args.out_dir, predictor.classes, predictor.palette, opacity=args.opacity, outlines=args.outlines)
    failed = segment_videos(
        predictor,
        videos,
        outputs,
        extras=save,
        smooth=args.smooth,
        skip_existing=args.skip_existing,
        stop_on_error=args.on_error == "stop",
    )
    return 1 if failed else 0
