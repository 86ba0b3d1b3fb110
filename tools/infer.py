#!/usr/bin/env python
"""Segment photographs and videos: python tools/infer.py [CONFIG] CHECKPOINT INPUT… --out-dir outputs"""

import argparse
from pathlib import Path

from semseg.cli.infer import DEFAULTS, run_infer
from semseg.cli.predictor import add_model_flags, add_speed_flags, split_config
from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool


def parse_args() -> argparse.Namespace:
    parser = ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT INPUT… [--out-dir DIR] [options]",
        description="Segment photographs or videos. Writes vis/ (overlays) and pred/ (train ids, palette PNG), named"
        " after the images, each as soon as it exists, with manifest.csv (what became of each image) and stats.csv (the"
        " share of each class in it).",
    )
    parser.add_argument("words", nargs="+", metavar="CONFIG CHECKPOINT INPUT", help="config file, not needed for a"
                        " checkpoint that describes itself; checkpoint (.pth, .pt, .safetensors) or exported .onnx;"
                        " then images, folders (with their sub-folders), 'patterns/*.jpg', lists of images (.txt), or"
                        " videos, the number of a camera, the address of a stream")  # fmt: skip
    parser.add_argument("--out-dir", type=Path, default=Path("outputs"), help="default: outputs")
    parser.add_argument("--save", default="", metavar="KINDS", help="write more: color,conf,probs,labelids,"
                        "side-by-side; of a video: frames,masks")  # fmt: skip
    parser.add_argument("--no-vis", action="store_true", help="write no overlays")
    parser.add_argument("--opacity", type=float, help="of the colours in the overlays, 0 to 1; default: 0.6")
    parser.add_argument("--legend", action="store_true", help="name the classes below the overlays")
    parser.add_argument("--outlines", action="store_true", help="draw the borders between classes into the overlays")
    parser.add_argument(
        "--geojson", type=Path, metavar="FILE", help="write where the photographs were taken, for a map"
    )
    parser.add_argument("--skip-existing", action="store_true", help="go on: leave out what has all its results")
    parser.add_argument("--keep-suffix", action="store_true", help="name the results of a.jpg a.jpg.png, not a.png")
    parser.add_argument("--on-error", choices=["skip", "stop"], default="skip",
                        help="at an image that cannot be read; default: skip it, exit with 1 at the end")  # fmt: skip
    parser.add_argument("--max-pixels", type=int, metavar="N", help="leave out larger images; default: 178956970")
    parser.add_argument("--batch", metavar="N", help="images of one size at a time; default: auto")
    parser.add_argument("--smooth", type=float, metavar="S",
                        help="against flicker in videos: share of the past in each frame, 0 to below 1")  # fmt: skip
    add_speed_flags(parser)
    add_model_flags(parser)
    parser.add_argument("--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_infer.sh")
    add_debug_flag(parser)
    parser.set_defaults(**DEFAULTS)
    args = parser.parse_intermixed_args()
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


if __name__ == "__main__":
    run_tool(lambda: run_infer(parse_args()))
