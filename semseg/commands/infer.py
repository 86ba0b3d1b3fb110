"""What `tools/infer.py` does with its command line."""

from __future__ import annotations

import argparse
import warnings

from semseg.commands.predictor import open_predictor


def run_infer(args: argparse.Namespace) -> int:
    """Segment what `tools/infer.py` was asked to, and return its exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # about metadata of photographs, line by line
    from semseg.inference import Outputs, find_images, infer, is_video
    from semseg.inference.outputs import SUFFIXES
    from semseg.inference.reading import MAX_PIXELS
    from semseg.inference.stream import rank_and_size

    rank, num_ranks = rank_and_size(args.launcher)
    save = [kind for kind in args.save.split(",") if kind]
    videos = [source for source in args.inputs if is_video(source)]
    if videos and len(videos) < len(args.inputs):
        raise ValueError(f"{videos[0]} is a video: segment videos and images one after the other")
    if videos:
        return _videos(args, videos, save)
    images = find_images(
        *args.inputs, leave_out=[args.out_dir / kind for kind in SUFFIXES], keep_suffix=args.keep_suffix
    )
    predictor = open_predictor(args, rank)
    kinds = ["pred", *([] if args.no_vis else ["vis"]), *save]
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
    print("\n".join(summary.lines(outputs)))
    if args.bits is not None and summary.num_done and not summary.num_deep:
        print(f"--bits {args.bits} had no effect: none of the photographs stores 16 bits")
    return 1 if summary.failed else 0


def _videos(args: argparse.Namespace, videos: list[str], save: list[str]) -> int:
    from semseg.inference import Outputs
    from semseg.inference.video import segment_videos

    if args.launcher != "none":
        raise ValueError(f"{videos[0]} is a video: its frames follow one another, use tools/infer.py")
    if args.bits is not None:
        raise ValueError("--bits has no effect on videos, whose frames have 8 bits; leave it out")
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
