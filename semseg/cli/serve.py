"""Try a model on a page in the browser: `tools/serve.py`, `semseg serve`."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.predictor import add_model_flags, add_speed_flags, open_predictor, split_config
from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.errors import InvalidInputError


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
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
    args = parser.parse_intermixed_args(argv)
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


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl-C."""
    run_serve(parse_args(argv))


def run_serve(args: argparse.Namespace) -> None:
    """Serve the page as parsed arguments say."""
    warnings.filterwarnings("ignore", module="PIL")  # about metadata of photographs, line by line
    for package in ("fastapi", "uvicorn", "python_multipart"):
        if importlib.util.find_spec(package) is None:
            raise InvalidInputError(
                f"this needs {package}, which is not installed: pip install -e '.[serve]'", code="E-input-value"
            )
    from semseg.serve.server import bind

    listener = bind(args.host, args.port)
    from semseg.serve.app import Work, make_app
    from semseg.serve.server import run
    from semseg.serve.uploads import Limits

    limits = Limits(round(args.max_mb * 1e6), args.max_pixels, args.upload_timeout, args.queue, args.rate)
    work = Work(open_predictor(args), limits)
    app = make_app(work, Path(args.checkpoint).name, [args.host, *args.allow_host])
    listener.listen()
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host).is_loopback:
        print(f"warning: there is no password: whoever reaches {host} can use this server", file=sys.stderr)
    print(f"http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends it)", flush=True)
    run(app, listener, lambda: work.is_busy)
