"""Segmentation from Python: one object, called with whatever holds images."""

from __future__ import annotations

import contextvars
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from PIL import Image

from semseg import compat
from semseg.config import for_inference, load_config
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.datasets.photographs import decode_photograph, pixels_of
from semseg.datasets.scaling import TooNarrowError
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.onnx_predictor import OnnxPredictor
from semseg.inference.prediction import without_nodata
from semseg.inference.predictor import Predictor
from semseg.inference.segmentation import Segmentation
from semseg.inference.sources import find_images

OneImage = str | Path | Image.Image | np.ndarray | torch.Tensor


class Segmenter:
    """Segment images with a checkpoint.

    Example:
        >>> from semseg import Segmenter
        >>> segment = Segmenter("best.pth", device="cpu")
        >>> result = segment("street.jpg")
        >>> result.train_ids.shape  # height, width
        (96, 128)
        >>> for result in segment("photographs/"):  # one at a time, as the loop goes on
        ...     print(result.path.name, result.overlay().shape)
        a.jpg (96, 128, 3)
        b.jpg (96, 128, 3)

    Args:
        checkpoint: weights (.pth, .pt, .ckpt, .pth.tar, .safetensors), or an exported model (.onnx), which has no use
            for what follows but the device.
        config: that they were trained with; not needed for a checkpoint that describes itself.
        device: such as 'cuda:0' or 'cpu'; default: the GPU if there is one.
        precision: auto, fp32, bf16 or fp16; auto takes what the hardware is fast at.
        tta: more views of each image, such as 'flip' or 'flip,0.75,1,1.25'; slower, and a little better.
        tile: side in pixels of overlapping windows for images that are too large in one piece.
        overlap: share of a tile that the next one covers, too, 0 to below 1.
        compile: let PyTorch generate code for the model: minutes at the start, for long runs.
        bits: how many are in use of the 16 of a value, in photographs that store 16 (12 for a 12-bit camera); default:
            what the set says that the model was trained on.
        data: the dataset.yaml that the model was trained on, if any.
        cfg_options: config values to override, as KEY=VALUE.
        trust_checkpoint: load it even if it carries code, and run that.
        on_note: called with what a user should know, such as the precision, memory that did not suffice, or an image
            that was skipped; None: skipped images give a warning.

    Attributes:
        predictor: what does the work, for whoever feeds it.
        classes: names, in the order of their train ids.
        palette: RGB, uint8, shape (num_classes, 3).

    Raises:
        FileNotFoundError: no such checkpoint or config.
        ValueError: the checkpoint does not fit the config, or does not describe itself and there is none; or an
            argument is out of range.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        config: str | Path | None = None,
        device: str | None = None,
        precision: str = "auto",
        *,
        tta: str | None = None,
        tile: int | None = None,
        overlap: float = 0.25,
        compile: bool = False,
        bits: int | None = None,
        data: str | Path | None = None,
        cfg_options: Sequence[str] = (),
        trust_checkpoint: bool = False,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        options = dict(
            precision=precision, tta=tta, tile=tile, overlap=overlap, compile=compile, bits=bits, on_note=on_note
        )
        # what is trusted here is trusted by this call only
        context = contextvars.copy_context()
        self.predictor = context.run(_open, checkpoint, config, device, data, cfg_options, trust_checkpoint, options)
        self._on_note = on_note
        self.classes: tuple[str, ...] = tuple(self.predictor.classes)
        self.palette = np.asarray(self.predictor.palette, np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out `on_note`, which belongs to this process."""
        return {**vars(self), "_on_note": None}

    @overload
    def __call__(
        self, source: Image.Image | np.ndarray | torch.Tensor, *, confidence: bool = True, probabilities: bool = False
    ) -> Segmentation: ...

    @overload
    def __call__(
        self,
        source: list[OneImage] | tuple[OneImage, ...],
        *,
        confidence: bool = True,
        probabilities: bool = False,
        on_error: Literal["stop"] = "stop",
    ) -> list[Segmentation]: ...

    @overload
    def __call__(
        self,
        source: list[OneImage] | tuple[OneImage, ...],
        *,
        confidence: bool = True,
        probabilities: bool = False,
        on_error: Literal["skip"],
    ) -> list[Segmentation | None]: ...

    @overload
    def __call__(
        self,
        source: Iterable[OneImage],
        *,
        confidence: bool = True,
        probabilities: bool = False,
        on_error: Literal["stop"] = "stop",
    ) -> Iterator[Segmentation]: ...

    @overload
    def __call__(
        self,
        source: Iterable[OneImage],
        *,
        confidence: bool = True,
        probabilities: bool = False,
        on_error: Literal["skip"],
    ) -> Iterator[Segmentation | None]: ...

    @overload
    def __call__(
        self, source: str | Path, *, confidence: bool = True, probabilities: bool = False, on_error: str = "stop"
    ) -> Any: ...

    def __call__(self, source, *, confidence: bool = True, probabilities: bool = False, on_error: str = "stop"):
        """Segment one image or many.

        Args:
            source: an image: its path; a PIL image of any mode; an array, RGB, uint8, shape (height, width, 3); or
                a tensor, RGB, uint8, shape (3, height, width), on any device. Or many: a list or tuple, any other
                iterable, or the path of a folder, of which all images are taken, in natural order.
            confidence: whether to compute it.
            probabilities: whether to compute them; 2 bytes per class and pixel.
            on_error: of many images, what to do when one cannot be segmented: `stop` raises its error; `skip` says so
                by `on_note` or a warning, and goes on: a folder gives one result less, a list, tuple or other iterable
                None in its place.

        Returns:
            A Segmentation; for a list or tuple a list of them; otherwise an iterator, which reads and segments the
            next image when it is asked for it.

        Raises:
            FileNotFoundError: no such file, or no image in the folder.
            ValueError: a file that is no readable image, an array of another type or shape, or scores that are no
                numbers; or `on_error` is another word, or `skip` for one image.
        """
        if on_error not in ("stop", "skip"):
            raise InvalidInputError(f"on_error {on_error!r}: expected 'stop' or 'skip'")
        skips = on_error == "skip"
        wanted = dict(confidence=confidence and self.predictor.has_probabilities, probabilities=probabilities)
        if isinstance(source, (str, Path)) and Path(source).is_dir():
            paths = (found.path for found in find_images(source, keep_suffix=True))
            return (result for result in self._each(paths, wanted, skips) if result is not None)
        if isinstance(source, (str, Path, Image.Image, np.ndarray, torch.Tensor)):
            if skips:
                raise InvalidInputError(
                    "on_error 'skip' is for a folder or many images; one image gives its result or raises"
                )
            return self._segment(source, wanted)
        if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):  # iterable, but no images
            raise _no_image(source)
        if isinstance(source, Sequence):
            return list(self._each(source, wanted, skips))
        if isinstance(source, Iterable) and not isinstance(source, Mapping):
            return self._each(source, wanted, skips)
        raise _no_image(source)

    def _each(self, sources: Iterable[OneImage], wanted: dict[str, bool], skips: bool) -> Iterator[Segmentation | None]:
        for index, source in enumerate(sources):
            result = None
            try:
                result = self._segment(source, wanted)
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                if not skips:
                    raise
                place = source if isinstance(source, (str, Path)) else f"image {index}, counted from 0"
                self._note(f"skipped {place}: {str(error).removeprefix(f'{place}: ') or type(error).__name__}")
            yield result

    def _note(self, sentence: str) -> None:
        if self._on_note is None:
            warnings.warn(sentence, stacklevel=3)
        else:
            self._on_note(sentence)

    def _segment(self, source: OneImage, wanted: dict[str, bool]) -> Segmentation:
        image, nodata, path = self._read(source)
        try:
            (found,) = self.predictor.predict([image], **wanted)
        except (NotFiniteError, TooNarrowError) as error:
            raise (type(error)(f"{path}: {error}") if path else error) from error
        found = without_nodata(found, nodata)
        return Segmentation(image, *found[:3], self.classes, self.palette, path)

    def _read(self, source: OneImage) -> tuple[np.ndarray, np.ndarray | None, Path | None]:
        """Return RGB, uint8, shape (height, width, 3), where it has no data, and where it lies."""
        if isinstance(source, (str, Path)):
            path = Path(source)
            if not path.is_file():
                raise MissingInputError(f"no image or folder {path}")
            try:
                pixels = decode_photograph(path, self.predictor.exif, self.predictor.bits)
                return pixels.image, pixels.nodata, path
            except ValueError as error:
                raise InvalidInputError(f"{path}: {error}") from error
        if isinstance(source, Image.Image):
            pixels = pixels_of(source, self.predictor.exif, self.predictor.bits)
            return pixels.image, pixels.nodata, None
        if isinstance(source, torch.Tensor):
            if source.dtype != torch.uint8 or source.ndim != 3 or source.shape[0] != 3:
                shape = tuple(source.shape)
                raise InvalidInputError(
                    f"tensor of {source.dtype} {shape}; expected torch.uint8 (3, height, width), RGB"
                )
            return source.permute(1, 2, 0).contiguous().cpu().numpy(), None, None
        if isinstance(source, np.ndarray):
            if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
                raise InvalidInputError(
                    f"array of {source.dtype} {source.shape}; expected uint8 (height, width, 3), RGB"
                )
            return source, None, None
        raise _no_image(source)


def _no_image(source: Any) -> ValueError:
    if isinstance(source, (bytes, bytearray, memoryview)):
        hint = "; open encoded bytes by PIL.Image.open(io.BytesIO(...))"
    else:
        hint = "; open it by PIL.Image.open(...)" if hasattr(source, "read") else ""
    expected = "expected a path, a PIL image, an array, a tensor, or a list or other iterable of them"
    return InvalidInputError(f"{type(source).__name__} is no image; {expected}{hint}")


def _open(
    checkpoint: str | Path,
    config: str | Path | None,
    device: str | None,
    data: str | Path | None,
    cfg_options: Sequence[str],
    trust_checkpoint: bool,
    options: dict[str, Any],
) -> Predictor | OnnxPredictor:
    if not isinstance(checkpoint, (str, Path)):
        raise InvalidInputError(f"the checkpoint is a {type(checkpoint).__name__}; expected the path of a file")
    if str(checkpoint).lower().endswith((".onnx", ".pt2")):
        defaults = dict(precision="auto", overlap=0.25, bits=options["bits"], on_note=options["on_note"])
        given = [name for name, value in options.items() if value != defaults.get(name) and value]
        given += [name for name, value in dict(config=config, data=data, cfg_options=cfg_options).items() if value]
        if given:
            flags = ", ".join(name.replace("_", "-") for name in given)
            raise InvalidInputError(f"{checkpoint} is an exported model, which has no use for {flags}: leave it out")
        predictor = OnnxPredictor(checkpoint, device, options["bits"])
        for note in predictor.notes if options["on_note"] else ():
            options["on_note"](note)
        return predictor
    if trust_checkpoint:
        compat.trust_checkpoints()
    checkpoint = existing_checkpoint(checkpoint)
    cfg = for_inference(load_config(config or checkpoint, cfg_options, data=data), checkpoint)
    return Predictor(cfg, checkpoint, device, **options)
