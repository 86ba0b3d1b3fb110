"""Transforms that load photographs and masks for training and testing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine import fileio
from mmseg.registry import TRANSFORMS
from PIL import Image

from semseg.datasets.bit_depth import check_bits
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.fast_png import decode_plain_png
from semseg.datasets.image_files import listed, most_frequent, read_mask, stored_values
from semseg.datasets.masks import decode_mask, decode_pair
from semseg.datasets.photograph_kind import is_plain
from semseg.datasets.photographs import MOST_PIXELS, RGB_COLOR_TYPES, decode_photograph
from semseg.datasets.roi import ignore_outside
from semseg.errors import InvalidDataError, MissingDataError
from semseg.labels import CITYSCAPES, IGNORED


@TRANSFORMS.register_module()
class LoadPhotograph(LoadImageFromFile):
    """Load the photograph of an image as RGB of 8 bits, in OpenCV's order of the channels, as inference reads it.

    Replaces MMCV's LoadImageFromFile, and gives the same array for a plain picture of 8 bits. Files that MMCV would
    read differently (16 bits, transparency in TIFF, CMYK) are decoded by `decode_photograph`, and files that are not
    RGB (floating-point numbers, more bands) are refused.

    Args:
        bits: how many of the 16 bits of a value are in use, if a file stores 16.
        **options: those of LoadImageFromFile.

    Raises:
        ValueError: the file is of an unsupported kind, or its values do not fit the bits in use; the message names
            the file.
    """

    def __init__(self, bits: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.bits = check_bits(bits)

    def transform(self, results: dict) -> dict | None:
        """Add `img` (uint8, shape (height, width, 3), BGR), `img_shape` and `ori_shape`."""
        if self.color_type not in RGB_COLOR_TYPES or self.file_client_args is not None:
            return super().transform(results)
        try:
            content = fileio.get(results["img_path"], backend_args=self.backend_args)
            # some backends return a memoryview
            image = self._decode(bytes(content))  # pyrefly: ignore[unnecessary-type-conversion]
        except Exception as error:
            if self.ignore_empty:
                return None
            path = results["img_path"]
            if isinstance(error, ValueError):
                raise InvalidDataError(f"{path}: {error}", code=getattr(error, "code", "E-data-unreadable")) from error
            if isinstance(error, cv2.error):  # for sizes above its limits
                raise InvalidDataError(f"{path}: not a readable image", code="E-data-unreadable") from error
            if isinstance(error, FileNotFoundError):
                raise MissingDataError(f"no image {path}", code="E-data-missing") from error
            if isinstance(error, OSError):
                reason = error.strerror or error
                raise InvalidDataError(f"{path} cannot be read ({reason})", code="E-data-unreadable") from error
            raise
        if image is None:
            raise InvalidDataError(f"{results['img_path']}: not a readable image", code="E-data-unreadable")
        results["img"] = image.astype(np.float32) if self.to_float32 else image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def _decode(self, content: bytes) -> np.ndarray | None:
        if self.imdecode_backend == "cv2" and (image := decode_plain_png(content, MOST_PIXELS)) is not None:
            return image
        if is_plain(content):
            return mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        exif = "ignore" if self.color_type == RGB_COLOR_TYPES[1] else "apply"
        pixels = decode_photograph(content, exif, self.bits, MOST_PIXELS)
        return np.ascontiguousarray(pixels.image[:, :, ::-1])

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, bits={self.bits})"


def bits_of(dataset: Any) -> int | None:
    """Return the `bits` of the pipeline of a built data set: how many are in use in photographs that store 16."""
    steps = getattr(getattr(dataset, "pipeline", None), "transforms", ())
    return next((step.bits for step in steps if isinstance(step, LoadPhotograph)), None)


@TRANSFORMS.register_module()
class LoadTrainIds(BaseTransform):
    """Load the mask of an image as train ids, and refuse masks with other values.

    Replaces MMSegmentation's LoadAnnotations, and gives the same array for a mask of train ids. Masks of a
    FolderSegDataset are decoded by the rules of its dataset.yaml; if it sets `unlabelled`, an image without mask has
    that class everywhere. Other images without mask are passed on unchanged. If a sample has a `roi_path`, all pixels
    outside of this region of interest become 255.

    Args:
        num_classes: of sets that aren't a FolderSegDataset: higher values than the last train id are refused, except
            255. `load_config` sets it; None accepts all values.

    Raises:
        FileNotFoundError: no such mask.
        ValueError: the mask does not have one channel of train ids, or not the size of its image; the message names
            the file, the values with their numbers of pixels, and the probable cause.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Add `gt_seg_map`: train ids, uint8, shape (height, width); 255 where the picture has no data in any band."""
        path = results.get("seg_map_path")
        rules = read_dataset_file(results["dataset_file"]) if "dataset_file" in results else None
        if path is None:
            if rules is None or rules.unlabelled is None:
                return results
            if results.get("ori_shape") is not None:
                train_ids = np.full(results["ori_shape"], rules.unlabelled, np.uint8)
            else:
                train_ids = decode_pair(results["img_path"], None, None, rules)
        elif rules is not None:
            train_ids = decode_mask(path, rules)
        else:
            train_ids = self._translate(read_mask(path), results)
        _check_size(path, train_ids.shape, results)
        if results.get("roi_path") is not None:
            exif = "apply" if rules is None else rules.exif
            train_ids = ignore_outside(train_ids, results["roi_path"], exif, path or results["img_path"])
        if (nodata := results.pop("nodata", None)) is not None:  # from LoadBands
            train_ids = np.where(nodata, np.uint8(IGNORED), train_ids)
        results["gt_seg_map"] = train_ids
        results["seg_fields"].append("gt_seg_map")
        return results

    def decode(self, mask: Image.Image, results: Mapping[str, Any]) -> np.ndarray:
        """Turn an opened mask into train ids, uint8, shape (height, width), without its region of interest.

        Args:
            mask: as it is stored.
            results: as those of `transform`; not changed.
        """
        if "dataset_file" in results:
            return decode_mask(mask, read_dataset_file(results["dataset_file"]))
        return self._translate(mask, results)

    def _translate(self, mask: Image.Image, results: Mapping[str, Any]) -> np.ndarray:
        path = results["seg_map_path"]
        if len(mask.getbands()) > 1:
            colors = mask.convert("RGB").getcolors(256)
            num_colors = f"{len(colors)} colours" if colors else "more than 256 colours"
            raise InvalidDataError(
                f"{path} is {mask.mode} with {num_colors}, not train ids: describe the set in a dataset.yaml with"
                " encoding: rgb, or run tools/dataset.py import colors",
                code="E-data-encoding",
            )
        values = stored_values(mask, path)
        table = _table(results.get("label_map"), results.get("reduce_zero_label", False))
        train_ids = cv2.LUT(values, table)
        if self.num_classes is not None:
            outside = (train_ids >= self.num_classes) & (train_ids != IGNORED)
            if outside.any():
                unknown = most_frequent(*np.unique(values[outside], return_counts=True))
                raise InvalidDataError(
                    f"{path} holds values outside 0..{self.num_classes - 1} and {IGNORED}: {listed(unknown)}; "
                    + _guess_cause(unknown, self.num_classes),
                    code="E-data-mask-values",
                )
        return train_ids

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_classes={self.num_classes})"


def _table(label_map: dict[int, int] | None, reduce_zero_label: bool) -> np.ndarray:
    """Return stored value -> train id as LoadAnnotations computes it."""
    table = np.arange(256, dtype=np.uint8)
    if reduce_zero_label:
        table = np.concatenate([[IGNORED], table[:254], [IGNORED]]).astype(np.uint8)
    if label_map is not None:
        reduced = table.copy()
        for old, new in label_map.items():
            table[reduced == old] = new
    return table


def _guess_cause(values: dict[int, int], num_classes: int) -> str:
    label_ids = {label.label_id for label in CITYSCAPES.labels}
    if num_classes == len(CITYSCAPES.classes) and set(values) <= label_ids:
        return "these look like Cityscapes label ids: run tools/convert_datasets/cityscapes.py"
    return "describe the set in a dataset.yaml, with a label_map for these values"


def _check_size(path: str | None, mask_shape: tuple[int, ...], results: dict) -> None:
    image_shape = results.get("ori_shape")  # None: the pipeline loads the mask first
    if image_shape is None or tuple(image_shape) == mask_shape:
        return
    (mask_height, mask_width), (height, width) = mask_shape, image_shape
    hint = "masks are drawn at the size of their image"
    if (mask_width, mask_height) == (height, width):
        hint = "if EXIF turns the image and not the mask, set exif: ignore in a dataset.yaml"
    image_path = results.get("img_path")
    raise InvalidDataError(
        f"{path} is {mask_width}x{mask_height}, its image {image_path} is {width}x{height}; {hint}", code="E-data-size"
    )
