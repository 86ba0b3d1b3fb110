"""Download Cityscapes and submit predictions: `tools/dataset.py download-cityscapes` and `submit-cityscapes`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from semseg.cli.progress import show_bytes, show_count


def add_download(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "download-cityscapes",
        help="download Cityscapes with your account, verify and unpack it",
        description=(
            "Download packages of Cityscapes with your own account (register at www.cityscapes-dataset.com), "
            "verify and unpack them. An interrupted download is continued; packages that are already unpacked are "
            "skipped. The account is read from CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD, or from the netrc "
            "file (machine www.cityscapes-dataset.com); otherwise the program asks for it. It is never saved."
        ),
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="output folder, such as data/cityscapes")
    parser.add_argument(
        "--packages",
        nargs="+",
        metavar="NAME",
        help="package names, as on the download page (default: gtFine_trainvaltest leftImg8bit_trainvaltest)",
    )
    parser.add_argument("--keep-archives", action="store_true", help="do not delete the archives after unpacking")
    parser.set_defaults(run=_run_download)


def _run_download(args: argparse.Namespace) -> int:
    from semseg.datasets.cityscapes import account, download

    ask = _ask_for_account if sys.stdin.isatty() and sys.stderr.isatty() else None
    try:
        with show_bytes() as show:
            outcomes = download.download(
                args.root,
                args.packages or download.PACKAGES,
                lambda host: account.find_account(host, ask),
                keep_archives=args.keep_archives,
                on_progress=show,
            )
    except download.DownloadError as error:
        if args.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, (num_files, is_new) in outcomes.items():
        status = "downloaded, verified and unpacked" if is_new else "already present"
        print(f"{args.root}: {name} {status}, {num_files} files")
    return 0


def _ask_for_account(host: str) -> tuple[str, str]:
    import getpass

    print(f"{host}, name or e-mail address: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip(), getpass.getpass("password: ")


def add_submit(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "submit-cityscapes",
        help="write predictions as an archive for the Cityscapes server",
        description=(
            "Convert predicted train ids, as written by tools/test.py --out and tools/infer.py, to label ids, and "
            "write them to a ZIP file. Every image of the split must have one prediction of the same size."
        ),
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of PNGs, searched recursively")
    parser.add_argument("--out", type=Path, required=True, metavar="ZIP", help="output file, such as submission.zip")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data/cityscapes"),
        help="root folder of the data set, with the images of the split (default: %(default)s)",
    )
    parser.add_argument("--split", default="test", help="default: %(default)s")
    parser.set_defaults(run=_run_submit)


def _run_submit(args: argparse.Namespace) -> int:
    from semseg.datasets.cityscapes import submit

    with show_count("packing") as show:
        num_images = submit.pack(args.predictions, args.out, args.root, args.split, show)
    print(f"{args.out}: {num_images} predictions of {args.split}")
    return 0
