"""Change valid inputs at random, and look for anything but a result or an error with one sentence.

    python bench/fuzz.py --cases 2000 --seed 1                  all kinds
    python bench/fuzz.py --cases 2000 --seed 1 --only pictures  one kind

The kinds are descriptions of data sets (dataset.yaml), pictures and masks, checkpoints, and annotations to import
(COCO, labelme). Bytes are changed, removed, added and set to zero; values get other types, sizes and signs, and keys
disappear. Errors of `semseg.errors` and of the operating system are expected. Everything else is printed once for each
place in the code, with the number of the case: `--seed S --first NUMBER --cases 1` repeats it. The exit code is 1 if
there was one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import io
import json
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[1]
sys.path.insert(0, str(REPO))  # it is run as a file

import numpy as np  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from PIL import Image  # noqa: E402

from semseg import compat  # noqa: E402
from semseg.checkpoints.plain import plain  # noqa: E402
from semseg.config import load_config  # noqa: E402
from semseg.datasets.dataset_file import read_dataset_file  # noqa: E402
from semseg.datasets.image_files import read_image, read_mask  # noqa: E402
from semseg.datasets.importers import coco, labelme  # noqa: E402
from semseg.datasets.pairs import find_pairs  # noqa: E402
from semseg.datasets.stored_bands import read_header, read_stored  # noqa: E402
from semseg.errors import SemsegError  # noqa: E402
from semseg.inference.reading import read_photograph  # noqa: E402

CONFIG = "pspnet_r18-d8_1xb4-1000_toycity-128x256"
_LONGEST_S = 30
_VALUES: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        256,
        10**30,
        -0.0,
        float("nan"),
        float("inf"),
        "",
        "x",
        "ü" * 300,
        "../..",
        "a: b",
        "s3://b/x",
    ),
    *([], [[]], {}, {"a": 1}, [None], [1, 2, 3], ["a", "a"], b"ab"),
]
_KEYS: list[Any] = [
    "x",
    1,
    None,
    "root",
    "roi",
    "bands",
    "range",
    "nodata",
    "rgb",
    "snap",
    "exif",
    "bits",
    "unlabelled",
]

Case = tuple[Callable[[], object], object]
"""What is tried, and what is shown if it fails."""


def change_values(content: Any, rng: random.Random) -> Any:
    """Return a copy of a tree of dicts and lists in which some values are others, or gone, or new."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = [
            (node, key)
            for node in _nodes(content)
            for key in (list(node) if isinstance(node, dict) else range(len(node)))
        ]
        if not places:
            break
        node, key = rng.choice(places)
        kind = rng.random()
        if kind < 0.6:
            node[key] = copy.deepcopy(rng.choice(_VALUES))
        elif kind < 0.8:
            del node[key]
        elif isinstance(node, dict):
            node[rng.choice(_KEYS)] = copy.deepcopy(rng.choice(_VALUES))
        else:
            node.append(copy.deepcopy(rng.choice([*_VALUES, node[key]])))
    return content


def _nodes(content: Any) -> Iterator[Any]:
    if isinstance(content, (dict, list)):
        yield content
        for part in content.values() if isinstance(content, dict) else content:
            yield from _nodes(part)


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a copy in which some bytes are others, or gone, or new."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 2, 5, 20])):
        at, kind = rng.randrange(len(changed) + 1), rng.random()
        if kind < 0.4:
            changed[at : at + 1] = rng.randbytes(1)
        elif kind < 0.55:
            del changed[at : at + rng.randrange(1, 50)]
        elif kind < 0.65:
            del changed[at:]
        elif kind < 0.75:
            changed[at:at] = rng.randbytes(3)
        elif kind < 0.9:
            changed[at : at + 40] = bytes(len(changed[at : at + 40]))
        else:
            changed[at : at + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"])
    return bytes(changed)


def data_sets(rng: random.Random) -> Case:
    """Read a dataset.yaml, and list its pairs."""
    classes = [{"name": "a", "color": [1, 2, 3]}, {"name": "b", "color": "#00ff00"}]
    both = {"images": "images", "masks": "masks"}
    contents = [
        {"splits": {"train": both, "val": both}, "encoding": "ids", "classes": ["a", "b", "c"]},
        {
            "root": ".",
            "splits": {"train": {**both, "roi": "masks"}},
            "encoding": "rgb",
            "snap": 3,
            "classes": classes,
            "exif": "ignore",
            "image_suffix": ".png",
            "mask_suffix": ".png",
            "unlabelled": "a",
        },
        {
            "splits": {"train": {"pairs": "pairs.csv"}},
            "encoding": "ids",
            "classes": "cityscapes",
            "bands": [3, 2, 1],
            "range": [[0, 100], [0, 100], [0, 100]],
            "nodata": 0,
            "rgb": [1, 2, 3],
        },
    ]
    for folder in ("images", "masks"):
        Path(folder).mkdir(exist_ok=True)
        _save(Path(folder, "1.png"), "L")
    Path("pairs.csv").write_text("image,mask\nimages/1.png,masks/1.png\n")
    text = yaml.safe_dump(change_values(rng.choice(contents), rng), allow_unicode=True).encode()
    text = change_bytes(text, rng) if rng.random() < 0.2 else text
    Path("dataset.yaml").write_bytes(text)

    def read() -> None:
        rules = read_dataset_file("dataset.yaml")
        for split in rules.splits:
            find_pairs(rules, split)

    return read, text.decode(errors="replace")


_PICTURES: list[tuple[str, str, dict[str, Any]]] = [
    *((".png", mode, {}) for mode in ("RGB", "L", "P", "RGBA", "I;16", "1")),
    *((".jpg", "RGB", {}), (".jpg", "L", {"progressive": True}), (".jpg", "CMYK", {}), (".webp", "RGB", {})),
    *((".bmp", "RGB", {}), (".gif", "P", {}), (".ppm", "RGB", {}), (".npy", "RGB", {}), (".tif", "F", {})),
    *((".tif", "RGB", {"compression": name}) for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")),
]


def _save(path: Path, mode: str, **options: Any) -> None:
    values = np.random.default_rng(0).integers(0, 3, (40, 56, 3), np.uint8)
    if path.suffix == ".npy":
        np.save(path, values)
        return
    image = (
        Image.fromarray(values[..., 0].astype(np.uint16)) if mode == "I;16" else Image.fromarray(values).convert(mode)
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    with_exif = {"exif": exif} if path.suffix in (".png", ".jpg", ".webp", ".tif") and mode != "F" else {}
    image.save(path, **with_exif, **options)


def pictures(rng: random.Random) -> Case:
    """Read a picture as a photograph, as a mask, and with its bands."""
    suffix, mode, options = rng.choice(_PICTURES)
    path = Path(f"picture{suffix}")
    _save(path, mode, **options)
    path.write_bytes(change_bytes(path.read_bytes(), rng))

    def read() -> None:
        refusal = None
        for reader in (read_image, read_mask, read_photograph, read_header, read_stored):
            try:
                reader(path)
            except (SemsegError, OSError) as error:
                refusal = error
        if refusal is not None:
            raise refusal

    return read, f"{suffix} {mode} {options}"


def checkpoints(rng: random.Random) -> Case:
    """Read a checkpoint, and the config that it describes."""
    meta = json.loads(described())
    content: Any = {"state_dict": {"weight": torch.zeros(2)}, "meta": change_values(meta, rng)}
    content = change_values({"meta": meta, "state_dict": {}}, rng) if rng.random() < 0.1 else content
    buffer = io.BytesIO()
    torch.save(content, buffer)
    changed = change_bytes(buffer.getvalue(), rng) if rng.random() < 0.3 else buffer.getvalue()
    Path("best.pth").write_bytes(changed)
    return lambda: load_config("best.pth"), content


_description: list[str] = []


def described() -> str:
    """Return the `meta` of a checkpoint of the demo's model, as JSON."""
    if not _description:
        cfg = load_config(CONFIG)
        dataset = dict(classes=["a", "b"], palette=[[0, 0, 0], [1, 1, 1]])
        said = dict(
            schema=1, config=plain(cfg.to_dict()), config_file=CONFIG, command="python tools/train.py", **dataset
        )
        _description.append(json.dumps({"semseg": said, "iter": 3, "dataset_meta": dataset}, default=str))
    return _description[0]


def annotations(rng: random.Random) -> Case:
    """Read annotations of COCO or labelme."""
    _save(Path("1.png"), "RGB")
    polygon = [1, 1, 20, 1, 20, 20, 1, 20]
    coco_content = {
        "images": [{"id": 1, "file_name": "1.png", "width": 56, "height": 40}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [polygon], "iscrowd": 0},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 2,
                "segmentation": {"size": [40, 56], "counts": [0, 2240]},
                "iscrowd": 1,
            },
        ],
    }
    points = [[1, 1], [20, 1], [20, 20]]
    labelme_content = {"imagePath": "1.png", "imageWidth": 56, "imageHeight": 40,
               "shapes": [{"label": "a", "shape_type": "polygon", "points": points, "flags": {}}]}  # fmt: skip
    reader, content = rng.choice([(coco.parse, coco_content), (labelme.parse, labelme_content)])
    changed = change_values(content, rng)
    text = json.dumps(changed, default=str).encode()
    Path("1.json").write_bytes(change_bytes(text, rng) if rng.random() < 0.2 else text)
    return lambda: reader(Path("1.json")), changed


KINDS: dict[str, Callable[[random.Random], Case]] = {
    "data-sets": data_sets,
    "pictures": pictures,
    "checkpoints": checkpoints,
    "annotations": annotations,
}


class TooLong(BaseException):
    """A case took longer than it may."""


def fuzz(kind: str, seed: int, first: int, cases: int) -> tuple[collections.Counter[str], list[str]]:
    """Try cases of a kind in the current folder; return how many ended how, and what was found."""

    def stop(*_: object) -> None:
        raise TooLong(f"longer than {_LONGEST_S} s")

    outcomes: collections.Counter[str] = collections.Counter()
    found: dict[tuple[str, str], str] = {}
    signal.signal(signal.SIGALRM, stop)
    for number in range(first, first + cases):
        attempt, shown = KINDS[kind](random.Random(f"{kind} {seed} {number}"))
        signal.alarm(_LONGEST_S)
        try:
            attempt()
            outcomes["accepted"] += 1
        except (SemsegError, OSError):
            outcomes["refused"] += 1
        except (Exception, TooLong) as error:
            outcomes["other"] += 1
            own = [
                line
                for line in traceback.extract_tb(error.__traceback__)
                if line.filename.startswith(str(REPO / "semseg"))
            ]
            place = f"{own[-1].filename}:{own[-1].lineno}" if own else "no line of this project"
            text = (
                f"case {number} of {kind}: {type(error).__name__} at {place}: {str(error)[:200]}\n  {str(shown)[:500]}"
            )
            found.setdefault((type(error).__name__, place), text)
        finally:
            signal.alarm(0)
    return outcomes, list(found.values())


@contextlib.contextmanager
def quiet_folder() -> Iterator[None]:
    """Work in an empty folder, without the warnings of decoders."""
    logging.disable(logging.CRITICAL)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            logging.disable(logging.NOTSET)


def main() -> int:
    """Run the cases; return 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="of each kind; default: 2000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", choices=KINDS)
    arguments = parser.parse_args()
    compat.repair()
    num_found = 0
    with quiet_folder():
        for kind in [arguments.only] if arguments.only else KINDS:
            outcomes, found = fuzz(kind, arguments.seed, arguments.first, arguments.cases)
            print("\n".join([f"{kind}: {dict(outcomes)}", *found]), flush=True)
            num_found += len(found)
    return bool(num_found)


if __name__ == "__main__":
    sys.exit(main())
