"""The videos of `tools/infer.py`, `semseg infer`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from semseg.cli.predictor import open_predictor
from semseg.errors import InvalidInputError

if TYPE_CHECKING:
    from semseg.inference.shards import Shard


def segment_video_inputs(args: argparse.Namespace, videos: list[str], save: list[str], shard: Shard | None) -> int:
    """Segment the videos of parsed arguments of `infer`, and return the exit code.

    Args:
        args: parsed arguments.
        videos: files, folders, patterns, cameras and streams.
        save: additional outputs.
        shard: the part of the files that is segmented; None: all.
    """
    from semseg import compat
    from semseg.inference import Outputs
    from semseg.inference.run_record import describe_run
    from semseg.inference.shards import SHARDS_NAME
    from semseg.inference.sources import LeftOut, find_videos, is_live
    from semseg.inference.video import segment_videos

    if args.launcher != "none":
        raise InvalidInputError(
            f"{videos[0]} is a video: its frames are processed in order; use tools/infer.py",
            code="E-input-kind",
        )
    if args.bits is not None:
        raise InvalidInputError(
            "--bits has no effect on videos, whose frames have 8 bits; leave it out", code="E-input-no-effect"
        )
    left_out = LeftOut()
    files = (
        find_videos(
            *(source for source in videos if not is_live(source)),
            leave_out=[args.out_dir / "vis", args.out_dir / SHARDS_NAME],
            left_out=left_out,
        )
        if any(not is_live(source) for source in videos)
        else []
    )
    live = [source for source in videos if is_live(source)]
    if live and shard is not None:
        raise InvalidInputError(
            f"`shard` has no effect on {live[0]}, a camera or stream; leave it out", code="E-input-no-effect"
        )
    options = {**vars(args), "save": sorted(["vis", *save])}
    with compat.files_read_once():  # a training may replace it
        predictor = open_predictor(args, all_probabilities="--smooth" if args.smooth else None)
        run = describe_run(predictor, args.checkpoint, files[0], options) if files else None
    outputs = Outputs(args.out_dir, predictor.classes, predictor.palette, opacity=args.opacity, outlines=args.outlines)
    failed = segment_videos(
        predictor,
        [*files, *live],
        outputs,
        extras=save,
        smooth=args.smooth,
        skip_existing=args.skip_existing,
        stop_on_error=args.on_error == "stop",
        run=run,
        shard=shard,
    )
    print("\n".join(left_out.lines()), end="\n" if left_out.lines() else "")
    return 1 if failed else 0
