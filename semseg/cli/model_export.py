"""Export a model for other runtimes: `tools/model.py export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from semseg.config.options import PluginOptions, add_options
from semseg.errors import InvalidInputError


def add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="write a model as ONNX or OpenVINO, or as an archive of torch.export",
        description=(
            "Write a model as a file that maps photographs (RGB, uint8) to the class of every pixel. It contains "
            "resizing, normalization and argmax; its metadata holds the names and colours of the classes. The file is "
            "kept only if its predictions agree with PyTorch on three images, or with int8, if it keeps its mIoU on "
            "labelled images; otherwise the exit code is 1. OpenVINO: two files, the second one ends with .bin."
        ),
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors")
    parser.add_argument("--config", help="config file; not needed if the checkpoint contains it")
    parser.add_argument("--format", choices=["onnx", "openvino", "torch-export"], default="onnx", help="default: onnx")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: the checkpoint's path with .onnx, .xml or .pt2"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--size", type=_size, metavar="H,W", help="fixed size of all images")
    sizes.add_argument("--dynamic", action="store_true", help="accept images of any size (default)")
    parser.add_argument(
        "--precision",
        choices=["fp32", "fp16", "bf16", "int8"],
        default="fp32",
        help="number format of the network; fp16 not for OpenVINO, bf16 for OpenVINO only, int8 not for torch-export "
        "(default: fp32)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="photographs for the comparison, and for the calibration of int8 (default: the test set of the config, "
        "if it exists; else drawn images for the comparison)",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="the dataset.yaml that the model was trained on, if any; its labels show whether int8 keeps the mIoU",
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="override config values"
    )
    add_options(parser, PluginOptions)
    parser.add_argument(
        "--trust-checkpoint", action="store_true", help="load the file even if it contains code; runs it"
    )
    parser.set_defaults(run=_run_export)


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = map(int, text.split(","))
    except ValueError:
        height = width = 0
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected height,width, such as 512,1024")
    return height, width


def _run_export(args: argparse.Namespace) -> int:
    import torch

    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.checkpoints.reading import checkpoint_stem, read_checkpoint
    from semseg.config import for_inference, load_config
    from semseg.config.from_checkpoint import existing_checkpoint
    from semseg.export.model_file import SUFFIXES, Disagreement, check_kind, export, facts_of
    from semseg.export.pictures import choose_pictures
    from semseg.export.traceable import Traceable
    from semseg.inference import Predictor
    from semseg.inference.precision import choose_precision
    from semseg.system.atomic import check_folder

    suffix = SUFFIXES[args.format]
    if args.out is not None and args.out.suffix != suffix:
        raise InvalidInputError(f"--out {args.out}: expected a name that ends with {suffix}", code="E-input-value")
    if args.out is not None:
        check_folder(args.out.parent, "out")
    check_kind(args.format, args.precision)
    if args.trust_checkpoint:
        compat.trust_checkpoints()
    checkpoint = existing_checkpoint(args.checkpoint)
    content = read_checkpoint(checkpoint)  # read once for the config, the weights and the metadata of the export
    cfg = load_config(
        args.config or checkpoint, args.cfg_options, data=args.data, content=content, plugins=args.plugins
    )
    cfg = for_inference(cfg, checkpoint, content)
    predictor = Predictor(cfg, checkpoint, "cpu", content=content)
    precision, _ = choose_precision("auto", predictor.device)
    rival = (
        predictor if precision == "fp32" else Predictor(cfg, checkpoint, "cpu", precision=precision, content=content)
    )
    network = Traceable(predictor.model, cfg, torch.float16 if args.precision == "fp16" else torch.float32)
    pictures = choose_pictures(cfg, predictor, _named_images(args.images), args.size, args.precision == "int8")
    if args.precision == "int8" and not pictures.calibration:
        raise InvalidInputError("int8 needs photographs for the calibration; add --images DIR", code="E-input-value")
    print("\n".join(pictures.lines))
    out = args.out or checkpoint.with_name(checkpoint_stem(checkpoint) + suffix)
    try:
        exported = export(
            predictor,
            facts_of(predictor, cfg, content, checkpoint),
            out,
            args.format,
            pictures.compared,
            network=network,
            size=args.size,
            precision=args.precision,
            calibration=pictures.calibration,
            labelled=pictures.labelled or (),
            rival=rival,
        )
    except Disagreement as error:
        print(error)
        return 1
    print(exported.verdict.sentence)
    if "speed" in exported.facts:
        speed = exported.facts["speed"]
        print(
            f"{speed['times_as_fast']:g} times as fast as PyTorch in {speed['torch_precision']}, for one image of"
            f" {speed['size'][1]} x {speed['size'][0]} on this machine ({speed['threads']} threads)"
        )
    size = f"{args.size[0]} x {args.size[1]} (height x width)" if args.size else "any size"
    files = [out, out.with_suffix(".bin")] if args.format == "openvino" else [out]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    names = " and ".join(map(str, files))
    print(f"{names}  {megabytes:.1f} MB, {args.precision}, images of {size}, {len(predictor.classes)} classes")
    return 0


def _named_images(folder: Path | None) -> list[Path]:
    """Return the photographs in the folder that the user named, if any."""
    from semseg.inference import find_images
    from semseg.inference.sources import LeftOut

    if folder is None:
        return []
    left_out = LeftOut()
    paths = [source.path_on_disk for source in find_images(folder, left_out=left_out)]
    for line in left_out.lines():
        print(line, file=sys.stderr)
    return paths
