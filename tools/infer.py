#!/usr/bin/env python
"""Segment photographs and videos: python tools/infer.py [CONFIG] CHECKPOINT INPUT… --out-dir outputs"""

import argparse
import warnings
from pathlib import Path

from semseg.cli import add_debug_flag, run_tool

CONFIG_SUFFIXES = (".py", ".json", ".yaml", ".yml")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT INPUT… [--out-dir DIR] [options]",
        description="Segment photographs or videos. Writes vis/ (overlays) and pred/ (train ids, palette PNG), named"
        " after the images, each as soon as it exists, with manifest.csv (what became of each image) and stats.csv (the"
        " share of each class in it).",
    )
    parser.add_argument("words", nargs="+", metavar="CONFIG CHECKPOINT INPUT", help="config file, not needed for a"
                        " checkpoint that describes itself; checkpoint (.pth, .safetensors) or exported model (.onnx);"
                        " then images, folders (with their sub-folders), 'patterns/*.jpg', lists of images (.txt), or"
                        " videos, the number of a camera, the address of a stream")  # fmt: skip
    parser.add_argument("--data", metavar="FILE", help="the dataset.yaml that the model was trained on, if any")
    parser.add_argument("--out-dir", type=Path, default=Path("outputs"), help="default: outputs")
    parser.add_argument("--save", default="", metavar="KINDS", help="write more: color,conf,probs,labelids,"
                        "side-by-side; of a video: frames,masks")  # fmt: skip
    parser.add_argument("--no-vis", action="store_true", help="write no overlays")
    parser.add_argument("--opacity", type=float, default=0.6, help="of the colours in the overlays, 0 to 1")
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
    parser.add_argument("--batch", default="auto", metavar="N", help="images of one size at a time; default: auto")
    parser.add_argument("--smooth", type=float, default=0, metavar="S",
                        help="against flicker in videos: share of the past in each frame, 0 to below 1")  # fmt: skip
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"], default="auto",
                        help="of the model's numbers; default: what the hardware does well")  # fmt: skip
    parser.add_argument("--tta", metavar="VIEWS", help="average more views of each image: flip, or flip,0.75,1,1.25")
    parser.add_argument("--tile", type=int, metavar="PX", help="cut images into windows of this size, at full size")
    parser.add_argument("--overlap", type=float, default=0.25, help="of the windows, as a share; default: 0.25")
    parser.add_argument("--device", help="such as cuda:1 or cpu; default: the GPU if there is one")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    parser.add_argument("--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_infer.sh")
    parser.add_argument("--trust-checkpoint", action="store_true", help="load it even if it carries code, and run that")
    add_debug_flag(parser)
    args = parser.parse_intermixed_args()
    args.config = args.words.pop(0) if args.words[0].endswith(CONFIG_SUFFIXES) else None
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


def main() -> int:
    args = parse_args()
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
    predictor = _predictor(args, rank)
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
    return 1 if summary.failed else 0


def _videos(args: argparse.Namespace, videos: list[str], save: list[str]) -> int:
    from semseg.inference import Outputs
    from semseg.inference.video import segment_videos

    if args.launcher != "none":
        raise ValueError(f"{videos[0]} is a video: its frames follow one another, use tools/infer.py")
    predictor = _predictor(args, 0)
    outputs = Outputs(args.out_dir, predictor.classes, predictor.palette, opacity=args.opacity, outlines=args.outlines)
    segment_videos(predictor, videos, outputs, extras=save, smooth=args.smooth, skip_existing=args.skip_existing)
    return 0


def _predictor(args: argparse.Namespace, rank: int):
    """Return a Predictor, or what stands in for it."""
    import os
    import sys

    import torch

    from semseg import compat
    from semseg.config import existing_checkpoint, for_inference, load_config

    def note(sentence: str) -> None:
        if rank == 0:
            print(sentence, file=sys.stderr)

    device = args.device
    if args.launcher != "none" and device is None and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    if args.checkpoint.endswith((".onnx", ".pt2")):
        from semseg.inference.onnx_predictor import OnnxPredictor

        for flag, value in (("--tta", args.tta), ("--tile", args.tile), ("the config", args.config)):
            if value:
                raise ValueError(f"{args.checkpoint} is an exported model, which has no use for {flag}: leave it out")
        predictor = OnnxPredictor(args.checkpoint, device)
        for sentence in predictor.notes:
            note(sentence)
        return predictor
    if args.trust_checkpoint:
        compat.trust_checkpoints()
    checkpoint = existing_checkpoint(args.checkpoint)
    cfg = load_config(args.config or checkpoint, args.cfg_options, data=args.data)
    from semseg.inference import Predictor

    options = dict(precision=args.precision, tta=args.tta, tile=args.tile, overlap=args.overlap)
    return Predictor(for_inference(cfg, checkpoint), checkpoint, device, **options, on_note=note)


if __name__ == "__main__":
    run_tool(main)
