"""Convert the authors' weights of ESPNet, such as espnet_p_2_q_8_camvid.pth, to a checkpoint for the configs here.

    python examples/espnet/convert_weights.py espnet_p_2_q_8_camvid.pth espnet_camvid.pth

The weights are at https://github.com/sacmehta/ESPNet (MIT licence). Those for CamVid have 12 outputs; the last one is
"void", which no pixel of the truth counts for, and is left out: `--outputs 12` keeps it.
"""

import argparse
import re
from pathlib import Path

import torch

_LEVELS = {  # name of the authors: name in espnet.py
    "encoder.level1.conv": "backbone.stem.conv",
    "encoder.level1.bn": "backbone.stem.bn",
    "encoder.level1.act": "backbone.stem.activate",
    "encoder.b1": "backbone.merge1",
    "encoder.level2_0": "backbone.down2",
    "encoder.level2": "backbone.blocks2",
    "encoder.b2": "backbone.merge2",
    "encoder.level3_0": "backbone.down3",
    "encoder.level3": "backbone.blocks3",
    "encoder.b3": "backbone.merge3",
    "encoder.classifier.conv": "decode_head.project3",
    "br": "decode_head.norm3",
    "up_l3.0": "decode_head.up3",
    "level3_C.conv": "decode_head.project2",
    "combine_l2_l3.0": "decode_head.merge2",
    "combine_l2_l3.1": "decode_head.esp2",
    "up_l2.0": "decode_head.up2",
    "up_l2.1": "decode_head.norm2",
    "conv.conv": "decode_head.merge1.conv",
    "conv.bn": "decode_head.merge1.bn",
    "conv.act": "decode_head.merge1.activate",
    "classifier": "decode_head.classify",
}
_INSIDE = (  # the rest of a name in blocks
    (r"\.c1\.conv\.", ".reduce."),
    (r"\.d(1|2|4|8|16)\.conv\.", lambda match: f".branches.{int(match[1]).bit_length() - 1}."),
    (r"\.(blocks\d\.\d+|esp2)\.bn\.(bn|act)\.", r".\1.merge.\2."),
    (r"\.(down\d)\.(bn|act)\.", r".\1.merge.\2."),
    (r"(\.merge\d?|\.norm2)\.bn\.(?!.*conv)", r"\1.norm."),
)


def new_name(name: str) -> str:
    """Return the name of a tensor in espnet.py."""
    prefix = max((prefix for prefix in _LEVELS if name.startswith(f"{prefix}.")), key=len, default=None)
    if prefix is None:
        raise ValueError(f"{name} is not a tensor of ESPNet")
    name = _LEVELS[prefix] + name.removeprefix(prefix)
    if name.startswith("decode_head.merge1."):  # a ConvModule, which has the same names
        return name
    for pattern, replacement in _INSIDE:
        name = re.sub(pattern, replacement, name)
    return name


def convert(weights: dict[str, torch.Tensor], num_outputs: int) -> dict[str, torch.Tensor]:
    """Return the weights under the names in espnet.py, with the first `num_outputs` classes."""
    converted = {new_name(name): value for name, value in weights.items()}
    last = "decode_head.classify.weight"  # (in, out, 2, 2), as all transposed convolutions
    if not 1 <= num_outputs <= converted[last].shape[1]:
        raise ValueError(f"--outputs {num_outputs}: the file has {converted[last].shape[1]}")
    converted[last] = converted[last][:, :num_outputs].clone()
    return converted


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="file of the authors")
    parser.add_argument("checkpoint", type=Path, help="file to write")
    parser.add_argument("--outputs", type=int, default=11, help="number of classes to keep; default: 11")
    args = parser.parse_args()
    weights = torch.load(args.weights, map_location="cpu", weights_only=True)
    torch.save({"state_dict": convert(weights, args.outputs)}, args.checkpoint)
    print(f"{args.checkpoint}: {len(weights)} tensors, {args.outputs} classes")


if __name__ == "__main__":
    main()
