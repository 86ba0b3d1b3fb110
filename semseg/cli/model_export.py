"""Export a model for other runtimes: `tools/model.py export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from semseg.config.options import PluginOptions, add_options
from semseg.errors import InvalidInputError

NUM_COMPARED, NUM_CALIBRATION = 3, 32


def add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="write a model as ONNX, or as an archive of torch.export",
        description=(
            "Write a model as one file that maps photographs (RGB, uint8) to the class of every pixel. It contains "
            "resizing, normalization and argmax; its metadata holds the names and colours of the classes. The file is "
            "kept only if its predictions agree with PyTorch on three images; otherwise the exit code is 1."
        ),
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors")
    parser.add_argument("--config", help="config file; not needed if the checkpoint contains it")
    parser.add_argument("--format", choices=["onnx", "torch-export"], default="onnx", help="default: onnx")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: the checkpoint's path with .onnx or .pt2")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--size", type=_size, metavar="H,W", help="fixed size of all images")
    sizes.add_argument("--dynamic", action="store_true", help="accept images of any size (default)")
    parser.add_argument(
        "--precision",
        choices=["fp32", "fp16", "int8"],
        default="fp32",
        help="number format of the network; int8: of the convolutions, ONNX only (default: fp32)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="photographs for the comparison, and for the calibration of int8 (default: the test set of the config if "
        "it exists; else drawn images for the comparison)",
    )
    parser.add_argument("--data", metavar="FILE", help="the dataset.yaml that the model was trained on, if any")
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
    from semseg.export.model_file import SUFFIXES, Disagreement, export, facts_of
    from semseg.export.traceable import Traceable
    from semseg.inference import Predictor
    from semseg.system.atomic import check_folder

    suffix = SUFFIXES[args.format]
    if args.out is not None and args.out.suffix != suffix:
        raise InvalidInputError(f"--out {args.out}: expected a name that ends with {suffix}", code="E-input-value")
    if args.out is not None:
        check_folder(args.out.parent, "out")
    if args.precision == "int8" and args.format != "onnx":
        raise InvalidInputError("--precision int8 is for --format onnx only", code="E-input-no-effect")
    if args.trust_checkpoint:
        compat.trust_checkpoints()
    checkpoint = existing_checkpoint(args.checkpoint)
    content = read_checkpoint(checkpoint)  # read once for the config, the weights and the metadata of the export
    cfg = load_config(
        args.config or checkpoint, args.cfg_options, data=args.data, content=content, plugins=args.plugins
    )
    cfg = for_inference(cfg, checkpoint, content)
    predictor = Predictor(cfg, checkpoint, "cpu", content=content)
    network = Traceable(predictor.model, cfg, torch.float16 if args.precision == "fp16" else torch.float32)
    compared, calibration, source = _images(args, cfg, predictor)
    out = args.out or checkpoint.with_name(checkpoint_stem(checkpoint) + suffix)
    try:
        exported = export(
            predictor,
            facts_of(predictor, content, checkpoint),
            out,
            args.format,
            compared,
            network=network,
            size=args.size,
            precision=args.precision,
            calibration=calibration,
        )
    except Disagreement as error:
        print(error)
        return 1
    shares = ", ".join(f"{100 * share:.2f}" for share in exported.agreement)
    if args.precision == "int8":
        print(f"calibrated with {len(calibration)} images of {source}")
    print(f"{shares} % of the pixels agree with PyTorch, on {len(compared)} images: {source}")
    size = f"{args.size[0]} x {args.size[1]} (height x width)" if args.size else "any size"
    megabytes = out.stat().st_size / 1e6
    print(f"{out}  {megabytes:.1f} MB, {args.precision}, images of {size}, {len(predictor.classes)} classes")
    return 0


def _images(args: argparse.Namespace, cfg: Any, predictor: Any) -> tuple[list, list, str]:
    """Return images to compare, images to calibrate with (different ones if there are enough), and their source."""
    import numpy as np

    from semseg.inference import find_images
    from semseg.inference.reading import read_image
    from semseg.inference.sources import LeftOut

    folder = args.images or _test_set(cfg)
    if folder is None:
        if args.precision == "int8":
            raise InvalidInputError(
                "int8 needs photographs for the calibration; add --images DIR", code="E-input-value"
            )
        return _fitted(_draw_images(), args.size), [], "drawn images"
    left_out = LeftOut()
    sources = find_images(folder, left_out=left_out)
    for line in left_out.lines():
        print(line, file=sys.stderr)
    compared_indices = np.linspace(0, len(sources) - 1, min(len(sources), NUM_COMPARED)).round().astype(int).tolist()
    others = [index for index in range(len(sources)) if index not in compared_indices] or compared_indices
    num_calibration = min(len(others), NUM_CALIBRATION)
    calibration_indices = [others[i] for i in np.linspace(0, len(others) - 1, num_calibration).round().astype(int)]
    compared, calibration = (
        [read_image(sources[index].path, predictor.exif, predictor.bits) for index in indices]
        for indices in (compared_indices, calibration_indices if args.precision == "int8" else [])
    )
    return _fitted(compared, args.size), [_resized(image, args.size) for image in calibration], str(folder)


def _test_set(cfg: Any) -> Path | None:
    """Return the folder of the test images of the config, or None if it does not exist."""
    from semseg.config.tree import inner_datasets

    dataset = inner_datasets(cfg.test_dataloader.dataset)[0]
    folder = Path(dataset.get("data_root") or "", (dataset.get("data_prefix") or {}).get("img_path", ""))
    return folder if dataset.get("data_root") and folder.is_dir() else None


def _draw_images() -> list:
    from semseg.datasets.toycity import plan_cityscapes, render

    return [render(picture)[0] for picture in plan_cityscapes(Path(), {"val": NUM_COMPARED}, (512, 256), seed=0)]


def _fitted(images: list, size: tuple[int, int] | None) -> list:
    """Resize images to a fixed size; for any size, crop all but the first to odd heights and widths."""
    if size:
        return [_resized(image, size) for image in images]
    return [images[0], *(image[: len(image) * 7 // 9 | 1, : image.shape[1] * 8 // 9 | 1] for image in images[1:])]


def _resized(image: Any, size: tuple[int, int] | None) -> Any:
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize(size[::-1])) if size else image
