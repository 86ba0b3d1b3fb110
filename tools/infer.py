#!/usr/bin/env python
"""Segment photographs: python tools/infer.py [CONFIG] CHECKPOINT INPUT --out-dir outputs"""

import argparse

from semseg.cli import add_debug_flag, run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Segment an image, or a folder of images with its sub-folders. Writes vis/ (overlays, JPEG) "
        "and pred/ (train ids, palette PNG), named after the images, each as soon as it exists."
    )
    parser.add_argument("config", nargs="?", help="config file that the model was trained with; not needed for a"
                        " checkpoint that describes itself")  # fmt: skip
    parser.add_argument("checkpoint", help="checkpoint file (.pth, .safetensors)")
    parser.add_argument("input", help="an image or a folder")
    parser.add_argument("--data", metavar="FILE", help="the dataset.yaml that the model was trained on, if any")
    parser.add_argument("--out-dir", default="outputs", help="default: outputs")
    parser.add_argument("--opacity", type=float, default=0.6, help="of the colours in the overlays, 0 to 1")
    parser.add_argument("--device", help="such as cuda:1 or cpu; default: the GPU if there is one")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    parser.add_argument("--trust-checkpoint", action="store_true", help="load it even if it carries code, and run that")
    add_debug_flag(parser)
    args = parser.parse_intermixed_args()
    if args.checkpoint.endswith(".py"):
        parser.error("INPUT or CHECKPOINT is missing: expected [CONFIG] CHECKPOINT INPUT")
    return args


def main() -> int:
    args = parse_args()
    from semseg import compat
    from semseg.config import existing_checkpoint, for_inference, load_config
    from semseg.inference import Predictor, find_images, infer

    if args.trust_checkpoint:
        compat.trust_checkpoints()
    images = find_images(args.input)
    checkpoint = existing_checkpoint(args.checkpoint)
    cfg = load_config(args.config or checkpoint, args.cfg_options, data=args.data)
    predictor = Predictor(for_inference(cfg, checkpoint), checkpoint, args.device)
    failed = infer(predictor, images, args.out_dir, args.opacity)
    return 1 if failed else 0


if __name__ == "__main__":
    run_tool(main)
