#!/usr/bin/env python
"""Try a model on a page in the browser: python tools/serve.py [CONFIG] CHECKPOINT"""

import argparse

from semseg.cli.predictor import add_model_flags, add_speed_flags, split_config
from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool
from semseg.cli.serve import run_serve


def parse_args() -> argparse.Namespace:
    parser = ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT [--host 127.0.0.1] [--port 8000] [options]",
        description="Serve a page on which photographs are dropped and segmented, and POST /api/segment for programs."
        " Uploads stay in memory; only this machine can connect unless --host says otherwise.",
    )
    parser.add_argument("words", nargs="+", metavar="CONFIG CHECKPOINT", help="config file, not needed for a"
                        " described checkpoint; checkpoint (.pth, .pt, .safetensors) or exported .onnx")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: 127.0.0.1, this machine"
                        " only; 0.0.0.0: all networks, without a password")  # fmt: skip
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any that is free")
    parser.add_argument("--allow-host", nargs="+", default=[], metavar="NAME",
                        help="names by which browsers may call it, besides localhost and addresses")  # fmt: skip
    parser.add_argument("--max-mb", type=float, default=25, metavar="N", help="of an upload; default: 25")
    parser.add_argument("--max-pixels", type=int, default=50_000_000, metavar="N",
                        help="of a photograph; default: 50000000")  # fmt: skip
    parser.add_argument("--upload-timeout", type=float, default=30, metavar="S", help="default: 30 seconds")
    parser.add_argument("--queue", type=int, default=4, metavar="N",
                        help="uploads that may wait for the one at work; default: 4")  # fmt: skip
    parser.add_argument("--rate", type=int, default=60, metavar="N",
                        help="uploads of one client per minute; 0: any number; default: 60")  # fmt: skip
    add_speed_flags(parser)
    add_model_flags(parser)
    add_debug_flag(parser)
    args = parser.parse_intermixed_args()
    args.config, args.words = split_config(args.words)
    if len(args.words) != 1:
        parser.error(f"expected [CONFIG] CHECKPOINT, found {' '.join(args.words) or 'no checkpoint'}")
    args.checkpoint = args.words[0]
    for flag in ("max_mb", "max_pixels", "upload_timeout"):
        if getattr(args, flag) <= 0:
            parser.error(f"--{flag.replace('_', '-')} {getattr(args, flag)}: expected more than 0")
    for flag in ("queue", "rate"):
        if getattr(args, flag) < 0:
            parser.error(f"--{flag} {getattr(args, flag)}: expected 0 or more")
    if not 0 <= args.port <= 65535:
        parser.error(f"--port {args.port}: expected 0 to 65535")
    return args


if __name__ == "__main__":
    run_tool(lambda: run_serve(parse_args()))
