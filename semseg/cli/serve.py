"""What `tools/serve.py` does with its command line."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import sys
import warnings
from pathlib import Path

from semseg.cli.predictor import open_predictor


def run_serve(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    warnings.filterwarnings("ignore", module="PIL")  # about metadata of photographs, line by line
    for package in ("fastapi", "uvicorn", "python_multipart"):
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"this needs {package}, which is not installed: pip install -e '.[serve]'")
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
