"""Try a model in the browser: `tools/serve.py`, `semseg serve`."""

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
from semseg.config.options import add_options, pick
from semseg.errors import InvalidInputError
from semseg.serve.options import AddressOptions, Limits
from semseg.system.wording import for_people


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(
        usage="%(prog)s [CONFIG] CHECKPOINT [--host 127.0.0.1] [--port 8000] [options]",
        description="Serve a web page that segments dropped photographs, and POST /api/segment for programs."
        " Uploads are kept in memory only. Only this machine can connect unless --host is given.",
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="CONFIG CHECKPOINT",
        help="config file, not needed if the checkpoint contains it; checkpoint (.pth, .pt, .safetensors) or exported"
        " .onnx, .xml",
    )
    add_options(parser, AddressOptions, Limits)
    add_speed_flags(parser)
    add_model_flags(parser)
    add_debug_flag(parser)
    args = parser.parse_intermixed_args(argv)
    args.config, args.words = split_config(args.words)
    if len(args.words) != 1:
        parser.error(f"expected [CONFIG] CHECKPOINT, found {' '.join(args.words) or 'no checkpoint'}")
    args.checkpoint = args.words[0]
    for name in ("max_mb", "max_pixels", "upload_timeout_s"):
        if getattr(args, name) <= 0:
            parser.error(for_people(f"`{name}` {getattr(args, name)}: expected more than 0"))
    for name in ("queue", "rate"):
        if getattr(args, name) < 0:
            parser.error(for_people(f"`{name}` {getattr(args, name)}: expected 0 or more"))
    if not 0 <= args.port <= 65535:
        parser.error(f"--port {args.port}: expected 0 to 65535")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl-C."""
    run_serve(parse_args(argv))


def run_serve(args: argparse.Namespace) -> None:
    """Serve the page for parsed arguments."""
    warnings.filterwarnings("ignore", module="PIL")  # one line for each photograph with odd metadata
    for package in ("fastapi", "uvicorn", "python_multipart"):
        if importlib.util.find_spec(package) is None:
            raise InvalidInputError(
                f"this needs {package}, which is not installed: pip install -e '.[serve]'", code="E-input-package"
            )
    from semseg.serve.server import bind

    listener = bind(args.host, args.port)
    from semseg.serve.app import Work, make_app
    from semseg.serve.server import run

    work = Work(open_predictor(args), pick(Limits, vars(args)))
    app = make_app(work, Path(args.checkpoint).name, [args.host, *args.allow_host])
    listener.listen()
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host).is_loopback:
        print(f"warning: there is no password: everyone who can reach {host} can use this server", file=sys.stderr)
    print(f"http://{f'[{host}]' if ':' in host else host}:{port}  (press Ctrl-C to quit)", flush=True)
    run(app, listener, lambda: work.is_busy)
