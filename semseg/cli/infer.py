"""Segment photographs and videos: `tools/infer.py`, `semseg infer`."""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.predictor import add_model_flags, add_speed_flags, open_predictor, split_config
from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.errors import InvalidInputError

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


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT INPUT… [--out-dir DIR] [options]",
        description="Segment photographs or videos. Writes vis/ (overlays) and pred/ (train ids, palette PNG), named"
        " after the images, each as soon as it exists, with manifest.csv (what became of each image) and stats.csv (the"
        " share of each class in it).",
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="CONFIG CHECKPOINT INPUT",
        help="config file, not needed for a"
        " checkpoint that describes itself; checkpoint (.pth, .pt, .safetensors) or exported .onnx;"
        " then images, folders (with their sub-folders), 'patterns/*.jpg', lists of images (.txt), or"
        " videos, the number of a camera, the address of a stream",
    )
    parser.add_argument("--out-dir", type=Path, default=Path("outputs"), help="default: outputs")
    parser.add_argument(
        "--save",
        default="",
        metavar="KINDS",
        help="write more: color,conf,probs,labelids,side-by-side; of a video: frames,masks",
    )
    parser.add_argument("--no-vis", action="store_true", help="write no overlays")
    parser.add_argument("--opacity", type=float, help="of the colours in the overlays, 0 to 1; default: 0.6")
    parser.add_argument("--legend", action="store_true", help="name the classes below the overlays")
    parser.add_argument("--outlines", action="store_true", help="draw the borders between classes into the overlays")
    parser.add_argument(
        "--geojson", type=Path, metavar="FILE", help="write where the photographs were taken, for a map"
    )
    parser.add_argument("--skip-existing", action="store_true", help="go on: leave out what has all its results")
    parser.add_argument("--keep-suffix", action="store_true", help="name the results of a.jpg a.jpg.png, not a.png")
    parser.add_argument(
        "--on-error",
        choices=["skip", "stop"],
        default="skip",
        help="at an image that cannot be read; default: skip it, exit with 1 at the end",
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="leave out larger images; default: 178956970")
    parser.add_argument("--batch", metavar="N", help="images of one size at a time; default: auto")
    parser.add_argument(
        "--smooth",
        type=float,
        metavar="S",
        help="against flicker in videos: share of the past in each frame, 0 to below 1",
    )
    add_speed_flags(parser)
    add_model_flags(parser)
    parser.add_argument("--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_infer.sh")
    add_debug_flag(parser)
    parser.set_defaults(**DEFAULTS)
    args = parser.parse_intermixed_args(argv)
    args.config, args.words = split_config(args.words)
    if len(args.words) < 2:
        parser.error("INPUT or CHECKPOINT is missing: expected [CONFIG] CHECKPOINT INPUT")
    args.checkpoint, *args.inputs = args.words
    if args.batch != "auto" and not (args.batch.isdecimal() and int(args.batch)):
        parser.error(f"--batch {args.batch}: expected auto, or 1 or more")
    if args.max_pixels is not None and args.max_pixels < 1:
        parser.error(f"--max-pixels {args.max_pixels}: expected 1 or more")
    if not 0 <= args.smooth < 1:
        parser.error(f"--smooth {args.smooth}: expected 0 to below 1")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Segment what was asked for, and return the exit code."""
    return run_infer(parse_args(argv))


def run_infer(args: argparse.Namespace) -> int:
    """Segment what parsed arguments name, and return the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about metadata of photographs, line by line
    from semseg.inference import Outputs, find_images, infer, is_video
    from semseg.inference.outputs import SUFFIXES, check_kinds, check_sources_stay
    from semseg.inference.reading import MAX_PIXELS
    from semseg.inference.sources import LeftOut
    from semseg.inference.stream import rank_and_size

    rank, num_ranks = rank_and_size(args.launcher)
    save = [kind for kind in args.save.split(",") if kind]
    videos = [source for source in args.inputs if is_video(source)]
    if videos and len(videos) < len(args.inputs):
        raise InvalidInputError(
            f"{videos[0]} is a video: segment videos and images one after the other", code="E-input-kind"
        )
    _check_options(args, save, bool(videos))
    if videos:
        return _videos(args, videos, save)
    left_out = LeftOut()
    own = [args.out_dir / kind for kind in SUFFIXES]
    images = find_images(*args.inputs, leave_out=own, keep_suffix=args.keep_suffix, left_out=left_out)
    check_kinds(save)
    kinds = ["pred", *([] if args.no_vis else ["vis"]), *save]
    check_sources_stay(images, args.out_dir, kinds)
    _refuse_more_than_tiles_write(args, images, save)
    predictor = open_predictor(args, rank)
    outputs = Outputs(
        args.out_dir,
        predictor.classes,
        predictor.palette,
        list(dict.fromkeys(kinds)),
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
        max_pixels=args.max_pixels or MAX_PIXELS,
        geojson=args.geojson,
        rank=rank,
        num_ranks=num_ranks,
    )
    print("\n".join([*summary.lines(outputs), *(left_out.lines() if rank == 0 else ())]))
    if args.bits is not None and summary.num_done and not summary.num_deep:
        print(f"--bits {args.bits} had no effect: none of the photographs stores 16 bits")
    return 1 if summary.failed else 0


_OF_IMAGES = ("no_vis", "legend", "geojson", "keep_suffix", "max_pixels", "batch")
_OF_VIDEOS = ("smooth",)
_OF_OVERLAYS = ("opacity", "legend", "outlines")


def _check_options(args: argparse.Namespace, save: list[str], of_videos: bool) -> None:
    """Refuse options that would have no effect, and folders that cannot be written to, before the model is loaded."""
    from semseg.system.atomic import check_folder

    def refuse(names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(args, name) != DEFAULTS[name]:
                raise InvalidInputError(
                    f"--{name.replace('_', '-')} has no effect {why}; leave it out", code="E-input-no-effect"
                )

    if of_videos:
        from semseg.inference.video import check_video_kinds

        refuse(_OF_IMAGES, "on videos")
        check_video_kinds(save)
    else:
        refuse(_OF_VIDEOS, "on images")
        if args.no_vis and "vis" in save:
            raise InvalidInputError(
                "--no-vis and --save vis contradict each other; leave one out", code="E-input-conflict"
            )
        if args.no_vis and "side-by-side" not in save:
            refuse(_OF_OVERLAYS, "with --no-vis")
    check_folder(args.out_dir, "out_dir")
    if args.geojson is not None:
        check_folder(args.geojson.parent, "geojson")


def _refuse_more_than_tiles_write(args: argparse.Namespace, images: Sequence, save: list[str]) -> None:
    """Refuse kinds of results that are not written for pictures which go by tiles, before the model is loaded."""
    from semseg.datasets.photographs import open_photograph
    from semseg.inference.reading import MAX_PIXELS
    from semseg.system.folders import TIFF_SUFFIXES

    if not args.tile or not save:
        return
    for image in images:
        if image.path.suffix.lower() in TIFF_SUFFIXES:
            with contextlib.suppress(Exception), open_photograph(image.path) as (picture, _):  # reading will say it
                width, height = picture.size
                if width * height > (args.max_pixels or MAX_PIXELS):
                    break
    else:
        return
    raise InvalidInputError(
        f"--save {','.join(save)}: {image.path} is segmented by tiles, of which only pred and vis are written; leave"
        " --save out, or segment this file by itself",
        code="E-input-kind",
    )


def _videos(args: argparse.Namespace, videos: list[str], save: list[str]) -> int:
    from semseg.inference import Outputs
    from semseg.inference.sources import LeftOut, find_videos, is_live
    from semseg.inference.video import segment_videos

    if args.launcher != "none":
        raise InvalidInputError(
            f"{videos[0]} is a video: its frames follow one another, use tools/infer.py", code="E-input-kind"
        )
    if args.bits is not None:
        raise InvalidInputError(
            "--bits has no effect on videos, whose frames have 8 bits; leave it out", code="E-input-no-effect"
        )
    left_out = LeftOut()
    files = (
        find_videos(
            *(source for source in videos if not is_live(source)),
            leave_out=[args.out_dir / "vis"],
            left_out=left_out,
        )
        if any(not is_live(source) for source in videos)
        else []
    )
    live = [source for source in videos if is_live(source)]
    predictor = open_predictor(args)
    outputs = Outputs(args.out_dir, predictor.classes, predictor.palette, opacity=args.opacity, outlines=args.outlines)
    failed = segment_videos(
        predictor,
        [*files, *live],
        outputs,
        extras=save,
        smooth=args.smooth,
        skip_existing=args.skip_existing,
        stop_on_error=args.on_error == "stop",
    )
    print("\n".join(left_out.lines()), end="\n" if left_out.lines() else "")
    return 1 if failed else 0
