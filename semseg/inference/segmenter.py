"""Segmentation from Python: one object, called with whatever holds images."""

from __future__ import annotations

import contextvars
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from PIL import Image

from semseg.config.options import names_of
from semseg.datasets.bands import BAND_SUFFIXES
from semseg.datasets.photographs import decode_photograph, pixels_of
from semseg.datasets.scaling import TooNarrowError
from semseg.datasets.tiff_data_mask import mark_masked
from semseg.errors import InvalidInputError, MissingInputError, SemsegError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.opening import open_predictor
from semseg.inference.options import SegmenterOptions
from semseg.inference.prediction import without_nodata
from semseg.inference.segmentation import Segmentation
from semseg.inference.sources import find_images, is_folder
from semseg.system.objects.addresses import Address, is_address, parse_address
from semseg.system.objects.local_copies import local_file

OneImage = str | Path | Address | Image.Image | np.ndarray | torch.Tensor


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
        checkpoint: weights (.pth, .pt, .ckpt, .pth.tar, .safetensors), or an exported model (.onnx, .xml), for which
            only `device`, `bits` and `on_note` have an effect.
        config: that the weights were trained with; not needed for a checkpoint that describes itself.
        device: such as 'cuda:0' or 'cpu'; default: the GPU if there is one.
        precision: auto (default), fp32, bf16 or fp16; auto is bf16 if the hardware is fast at it, else fp32.
        options: the other fields of `SegmenterOptions`:
            performance: fast (default), or stock: the train ids of MMSegmentation's `inference_model`, bit for bit, in
                fp32; slower. With fast, a pixel with two nearly equal scores may get the other class.
            backend: torch (default); onnx or openvino: a file that was exported from the checkpoint and lies beside
                it, with the same name; auto: the fastest of these files that agreed with PyTorch when it was exported,
                or else PyTorch. A note says which.
            tta: more views of each image, such as 'flip' or 'flip,0.75,1,1.25'; slower, and a little better.
            tile: side in pixels of overlapping windows, for images that are too large to be segmented whole.
            overlap: share of a tile that the next one covers, too, 0 to below 1; default: 0.25.
            compile: let PyTorch generate code for the model; takes minutes at the start, for long runs.
            bits: how many are in use of the 16 of a value, in photographs that store 16 (12 for a 12-bit camera);
                default: what the data set says that the model was trained on.
            data: the dataset.yaml that the model was trained on, if any.
            cfg_options: config values to override, as KEY=VALUE.
            plugins: Python files or modules that register parts of yours which the model needs.
            trust_checkpoint: load the checkpoint even if it carries code, and run that code.
            on_note: called with sentences for the user, such as the precision, images that did not fit into memory, or
                an image that was skipped; default: skipped images give a warning.

    Attributes:
        predictor: the model; it takes arrays only.
        classes: names, in the order of their train ids.
        palette: RGB, uint8, shape (num_classes, 3).

    Raises:
        TypeError: there is no such option.
        FileNotFoundError: no such checkpoint or config.
        ValueError: the checkpoint does not fit the config, or does not describe itself and there is no config; or an
            argument is out of range.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        config: str | Path | None = None,
        device: str | None = None,
        precision: str = SegmenterOptions.precision,
        **options: Any,
    ) -> None:
        unknown = options.keys() - names_of(SegmenterOptions)
        if unknown:
            known = ", ".join(sorted(names_of(SegmenterOptions)))
            raise TypeError(f"Segmenter has no option {min(unknown)!r}; expected some of {known}")
        chosen = SegmenterOptions(config=config, device=device, precision=precision, **options)
        # in a context of its own: `trust_checkpoint` is for this call only
        self.predictor = contextvars.copy_context().run(open_predictor, checkpoint, chosen)
        self._on_note = chosen.on_note
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
                a tensor, RGB, uint8, shape (3, height, width), on any device. For a model with `bands`: a path, or an
                array with all bands of a file, see `Bands.convert_array`. Or many: a list or tuple, any other
                iterable, or the path of a folder, of which all images are taken, in natural order.
            confidence: whether to compute it.
            probabilities: whether to compute them; 2 bytes per class and pixel.
            on_error: what to do if one of many images cannot be segmented: `stop` raises its error; `skip` reports it
                by `on_note` or a warning, and continues. The results of a folder then have one item less; those of a
                list, tuple or other iterable have None at its position.

        Returns:
            A Segmentation; for a list or tuple a list of them; otherwise an iterator, which reads and segments each
            image when it is needed.

        Raises:
            FileNotFoundError: no such file, or no image in the folder.
            ValueError: a file that is no readable image, an array of another type or shape, or scores that are NaN or
                infinite; or `on_error` is another word, or `skip` for one image.
        """
        if on_error not in ("stop", "skip"):
            raise InvalidInputError(f"`on_error` {on_error!r}: expected 'stop' or 'skip'", code="E-input-choice")
        skips = on_error == "skip"
        wanted = dict(confidence=confidence and self.predictor.has_probabilities, probabilities=probabilities)
        if isinstance(source, (str, Path, Address)) and is_folder(source):
            more = BAND_SUFFIXES if self.predictor.bands is not None else ()
            paths = (image.path for image in find_images(source, keep_suffix=True, more_suffixes=more))
            return (result for result in self._segment_each(paths, wanted, skips) if result is not None)
        if isinstance(source, (str, Path, Address, Image.Image, np.ndarray, torch.Tensor)):
            if skips:
                raise InvalidInputError(
                    "`on_error` 'skip' is for a folder or many images; one image gives its result or raises",
                    code="E-input-no-effect",
                )
            return self._segment(source, wanted)
        if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):  # iterable, but no images
            raise _no_image_error(source)
        if isinstance(source, Sequence):
            return list(self._segment_each(source, wanted, skips))
        if isinstance(source, Iterable) and not isinstance(source, Mapping):
            return self._segment_each(source, wanted, skips)
        raise _no_image_error(source)

    def _segment_each(
        self, sources: Iterable[OneImage], wanted: dict[str, bool], skips: bool
    ) -> Iterator[Segmentation | None]:
        for index, source in enumerate(sources):
            result = None
            try:
                result = self._segment(source, wanted)
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                if not skips:
                    raise
                place = source if isinstance(source, (str, Path, Address)) else f"image {index}, counted from 0"
                self._note(f"skipped {place}: {str(error).removeprefix(f'{place}: ') or type(error).__name__}")
            yield result

    def _note(self, sentence: str) -> None:
        if self._on_note is None:
            warnings.warn(sentence, stacklevel=3)
        else:
            self._on_note(sentence)

    def _segment(self, source: OneImage, wanted: dict[str, bool]) -> Segmentation:
        image, nodata, path = self._read(source)
        bands = self.predictor.bands
        try:
            (prediction,) = self.predictor.predict([image], **wanted)
        except (NotFiniteError, TooNarrowError) as error:
            raise (type(error)(f"{path}: {error}", code=error.code) if path else error) from error
        train_ids, confidence, probabilities, *_ = without_nodata(prediction, nodata)
        shown = image if bands is None else bands.show(image)
        return Segmentation(shown, train_ids, confidence, probabilities, self.classes, self.palette, path)

    def _read(self, source: OneImage) -> tuple[np.ndarray, np.ndarray | None, Path | Address | None]:
        """Return the pixels as the predictor takes them; where they have no data, see `Pixels`; the path."""
        bands = self.predictor.bands
        if isinstance(source, Address) or (isinstance(source, (str, Path)) and is_address(source)):
            address = parse_address(source)
            with local_file(address) as copy:
                try:
                    image, nodata, _ = self._read(copy)
                except InvalidInputError as error:
                    reason = str(error).removeprefix(f"{copy}: ")
                    raise InvalidInputError(f"{address}: {reason}", code=error.code) from error
                return image, nodata, address
        if isinstance(source, (str, Path)):
            path = Path(source)
            if not path.is_file():
                raise MissingInputError(f"no image or folder {path}", code="E-input-missing")
            try:
                if bands is not None:
                    image, nodata = bands.read(path, self.predictor.exif)
                    return image, nodata, path
                pixels = mark_masked(decode_photograph(path, self.predictor.exif, self.predictor.bits), path)
                return pixels.image, pixels.nodata, path
            except ValueError as error:
                code = error.code if isinstance(error, SemsegError) else "E-input-unreadable"
                raise InvalidInputError(f"{path}: {error}", code=code) from error
        if bands is not None:
            if not isinstance(source, np.ndarray):
                raise InvalidInputError(
                    f"{type(source).__name__}: the model reads bands {list(bands.bands)}; expected the path of a file,"
                    " or an array with all bands of a file, shape (height, width, bands)",
                    code="E-input-image",
                )
            image, nodata = bands.convert_array(source)
            return image, nodata, None
        if isinstance(source, Image.Image):
            pixels = pixels_of(source, self.predictor.exif, self.predictor.bits)
            return pixels.image, pixels.nodata, None
        if isinstance(source, torch.Tensor):
            if source.dtype != torch.uint8 or source.ndim != 3 or source.shape[0] != 3:
                shape = tuple(source.shape)
                raise InvalidInputError(
                    f"tensor of {source.dtype} {shape}; expected torch.uint8 (3, height, width), RGB",
                    code="E-input-image",
                )
            return source.permute(1, 2, 0).contiguous().cpu().numpy(), None, None
        if isinstance(source, np.ndarray):
            if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
                raise InvalidInputError(
                    f"array of {source.dtype} {source.shape}; expected uint8 (height, width, 3), RGB",
                    code="E-input-image",
                )
            return source, None, None
        raise _no_image_error(source)


def _no_image_error(source: Any) -> InvalidInputError:
    """Return the error for an object that holds no image."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        hint = "; open encoded bytes by PIL.Image.open(io.BytesIO(...))"
    else:
        hint = "; open it by PIL.Image.open(...)" if hasattr(source, "read") else ""
    expected = "expected a path, a PIL image, an array, a tensor, or a list or other iterable of them"
    return InvalidInputError(f"{type(source).__name__} is no image; {expected}{hint}", code="E-input-image")
