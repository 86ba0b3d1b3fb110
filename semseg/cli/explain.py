"""Explain the prediction of a model for a photograph: `tools/analyze.py explain`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from semseg.cli.predictor import add_model_flags, find_pictures, open_predictor, split_config
from semseg.errors import InvalidInputError
from semseg.system.objects.addresses import refuse_address


def add_explain(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "explain",
        help="show probabilities, entropy, margin and Grad-CAM of one photograph",
        description=(
            "Explain the prediction of a model for a photograph. Writes to DIR/<name of the photograph>/: the "
            "prediction, the probability of each class, entropy and margin, a map of the places that raise the "
            "score of a class in a region (Grad-CAM), and explain.json with the numbers."
        ),
        usage="%(prog)s [CONFIG] CHECKPOINT IMAGE [options]",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="[CONFIG] CHECKPOINT IMAGE",
        help="the config is not needed for a checkpoint that describes itself",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="class to explain (default: the most probable one in the region; without a region, the least certain one)",
    )
    parser.add_argument(
        "--region",
        metavar="X,Y,W,H",
        help="region to explain, in pixels of the photograph (default: where the class is predicted)",
    )
    parser.add_argument("--out-dir", type=Path, default=Path("outputs/explain"), help="default: outputs/explain")
    add_model_flags(parser)
    parser.set_defaults(run=_run_explain, precision="fp32")


def _run_explain(args: argparse.Namespace) -> int:
    args.config, words = split_config(args.paths)
    if len(words) != 2:
        raise InvalidInputError(f"expected [CONFIG] CHECKPOINT IMAGE, got {' '.join(args.paths)}", code="E-input-value")
    args.checkpoint, image = words
    refuse_address(image, "image")
    if Path(image).is_dir():
        raise InvalidInputError(f"{image} is a folder; expected one image", code="E-input-value")
    from semseg.system.atomic import check_folder

    check_folder(args.out_dir, "out_dir")
    box = None if args.region is None else _box(args.region)

    from semseg.analysis.explain import explain

    source = find_pictures(args.checkpoint, image)[0][0]
    predictor = open_predictor(args, exported=False)
    out_dir = args.out_dir / source.name
    result = explain(predictor, source.path_on_disk, out_dir, args.class_name, box)
    region, cam = result["region"], result["grad_cam"]
    top = ", ".join(f"{entry['class']} {entry['mean_probability']:.2f}" for entry in region["top"])
    print(f"region: {region['meaning']}, {100 * region['share_of_picture']:.1f} % of the picture")
    print(f"most probable there: {top}; entropy {region['mean_entropy']:.2f}, margin {region['mean_margin']:.2f}")
    print(f"Grad-CAM of {cam['class']}: " + ("no place raises its score" if cam["is_empty"] else cam["layer"]))
    print(f"wrote {out_dir}: {', '.join(result['files'][:5])}, probability/, explain.json")
    return 0


def _box(text: str) -> tuple[int, int, int, int]:
    if not re.fullmatch(r"\d+(,\d+){3}", text):
        raise InvalidInputError(
            f"--region {text}: expected X,Y,W,H in pixels, such as 0,0,320,200", code="E-input-value"
        )
    x, y, width, height = map(int, text.split(","))
    return x, y, width, height
