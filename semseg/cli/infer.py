"""Segment photographs and videos: `tools/infer.py`, `semseg infer`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.infer_checks import DEFAULTS, check_options, check_tiled_outputs
from semseg.cli.infer_videos import segment_video_inputs
from semseg.cli.predictor import (
    add_model_flags,
    add_speed_flags,
    find_pictures,
    local_model,
    open_predictor,
    split_config,
)
from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.errors import InvalidInputError
from semseg.system.objects.addresses import Address, is_address, parse_address
from semseg.system.wording import FLAGS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT INPUT… [--out-dir DIR] [options]\n       %(prog)s --merge DIR",
        description="Segment photographs or videos. Writes vis/ (overlays) and pred/ (train ids, palette PNG), named"
        " after the images, as soon as each result is computed; also manifest.csv (the outcome of each image) and"
        " stats.csv (the share of each class in it).",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="CONFIG CHECKPOINT INPUT",
        help="config file, not needed if the"
        " checkpoint contains it; checkpoint (.pth, .pt, .safetensors) or exported .onnx, .xml;"
        " then images, folders (searched recursively), 'patterns/*.jpg', lists of images (.txt), or"
        " videos, the number of a camera, the address of a stream. The checkpoint, and images, folders and lists of"
        " them, may be addresses (s3://…, gs://…, https://…)",
    )
    parser.add_argument(
        "--out-dir", type=_folder, default=Path("outputs"), help="a folder, or an address (s3://…); default: outputs"
    )
    parser.add_argument(
        "--save",
        default="",
        metavar="KINDS",
        help="additional outputs: color,conf,probs,labelids,side-by-side; for a video: frames,masks",
    )
    parser.add_argument("--no-vis", action="store_true", help="write no overlays")
    parser.add_argument("--opacity", type=float, help="opacity of the colours in the overlays, 0 to 1; default: 0.6")
    parser.add_argument("--legend", action="store_true", help="add a legend of the classes below each overlay")
    parser.add_argument("--outlines", action="store_true", help="draw the borders between classes in the overlays")
    parser.add_argument(
        "--geojson", type=Path, metavar="FILE", help="write the GPS positions of the photographs as GeoJSON"
    )
    parser.add_argument("--skip-existing", action="store_true", help="skip inputs with complete results")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="segment part I of N of the inputs, counted from 1: 1/8 to 8/8. All parts may run at the same time, on any"
        " machines, with the same --out-dir; --merge joins their tables",
    )
    parser.add_argument(
        "--merge",
        type=Path,
        metavar="DIR",
        help="join the tables of all shards in an --out-dir to manifest.csv and stats.csv, without a model; exit with"
        " code 1 if an image is missing or failed",
    )
    parser.add_argument("--keep-suffix", action="store_true", help="name the results of a.jpg a.jpg.png, not a.png")
    parser.add_argument(
        "--on-error",
        choices=["skip", "stop"],
        default="skip",
        help="what to do if an image cannot be read; default: skip it, and exit with code 1 at the end",
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="skip images with more pixels; default: 178956970")
    parser.add_argument("--batch", metavar="N", help="number of images of the same size in a batch; default: auto")
    parser.add_argument(
        "--smooth",
        type=float,
        metavar="S",
        help="reduce flicker in videos: weight of the earlier frames, 0 to below 1",
    )
    add_speed_flags(parser)
    add_model_flags(parser)
    parser.add_argument("--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_infer.sh")
    add_debug_flag(parser)
    parser.set_defaults(**DEFAULTS)
    args = parser.parse_intermixed_args(argv)
    if args.merge is not None:
        unused = [name for name, value in vars(args).items() if value and value != parser.get_default(name)]
        for name in unused:
            if name not in ("merge", "geojson", "debug"):
                parser.error(f"{FLAGS[name]} has no effect with --merge; leave it out")
        return args
    args.config, args.words = split_config(args.words) if args.words else (None, [])
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


def _folder(text: str) -> Path | Address:
    return parse_address(text) if is_address(text) else Path(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Segment the inputs of a command line, and return the exit code."""
    return run_infer(parse_args(argv))


def run_infer(args: argparse.Namespace) -> int:
    """Segment the inputs of parsed arguments, and return the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # one line for each photograph with odd metadata
    if args.merge is not None:
        return _merge(args.merge, args.geojson)
    from semseg import compat
    from semseg.inference import Outputs, infer, is_video
    from semseg.inference.outputs import SUFFIXES, check_kinds, check_sources_stay
    from semseg.inference.reading import MAX_PIXELS
    from semseg.inference.run_record import describe_run
    from semseg.inference.shards import SHARDS_NAME, parse_shard, rank_and_size
    from semseg.inference.stored_results import local_folder

    shard = None if args.shard is None else parse_shard(args.shard)
    rank, num_ranks = rank_and_size(args.launcher)
    args.checkpoint, args.config = local_model(args.checkpoint), args.config and local_model(args.config)
    save = [kind for kind in args.save.split(",") if kind]
    videos = [source for source in args.inputs if is_video(source)]
    if videos and len(videos) < len(args.inputs):
        raise InvalidInputError(
            f"{videos[0]} is a video: segment videos and images in separate runs", code="E-input-kind"
        )
    check_options(args, save, bool(videos), num_ranks)
    if videos:
        return segment_video_inputs(args, videos, save, shard)
    result_dirs = [args.out_dir / name for name in (*SUFFIXES, SHARDS_NAME)]
    images, left_out = find_pictures(args.checkpoint, *args.inputs, leave_out=result_dirs, keep_suffix=args.keep_suffix)
    check_kinds(save)
    kinds = ["pred", *([] if args.no_vis else ["vis"]), *save]
    check_sources_stay(images, args.out_dir, kinds)
    check_tiled_outputs(args, images, save)
    with compat.files_read_once():  # a training may replace it
        predictor = open_predictor(args, rank, all_probabilities="--save probs" if "probs" in save else None)
        run = describe_run(predictor, args.checkpoint, images[0], {**vars(args), "save": sorted(dict.fromkeys(kinds))})
    with local_folder(args.out_dir) as (folder, stored):
        outputs = Outputs(
            folder,
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
            run=run,
            shard=shard,
            rank=rank,
            num_ranks=num_ranks,
            stored=stored,
        )
    print("\n".join([*summary.lines(outputs, args.out_dir), *(left_out.lines() if rank == 0 else ())]))
    if shard is not None and rank == 0:
        print(f"shard {shard} of {len(images)} images; when all shards have ended: --merge {args.out_dir}")
    if args.bits is not None and summary.num_done and not summary.num_deep:
        print(f"--bits {args.bits} had no effect: none of the photographs stores 16 bits")
    return 1 if summary.failed else 0


def _merge(out_dir: Path, geojson: Path | None) -> int:
    from semseg.inference.merging import merge_shards

    merged = merge_shards(out_dir, geojson)
    print("\n".join(merged.lines), end="\n" if merged.lines else "")
    print("\n".join(merged.faults), end="\n" if merged.faults else "", file=sys.stderr)
    return 1 if merged.faults else 0
