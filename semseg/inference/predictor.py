"""One model, ready to segment images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from semseg import compat
from semseg.checkpoints.reading import read_checkpoint
from semseg.config.classes import classes_and_palette
from semseg.datasets.bands import swap_channels
from semseg.datasets.bit_depth import check_bits
from semseg.errors import InvalidInputError
from semseg.evaluation.finite import NotFiniteError, refuse_not_finite
from semseg.inference.memory import Portion, is_out_of_memory, smaller_portion
from semseg.inference.model_opener import ModelOpener
from semseg.inference.pipeline import ArrayPipeline, read_test_pipeline, without_resize
from semseg.inference.precision import autocast, choose_precision, compile_network
from semseg.inference.prediction import Prediction, Wanted, check_image, join_bands, predict_from_scores, split_images
from semseg.inference.scoring import ImageWindows, Scorer, parse_views
from semseg.inference.tiles import check_tiles


class Predictor:
    """Segment images with the model of a config and the weights of a checkpoint.

    Args:
        cfg: from `for_inference`; not changed.
        checkpoint: weights that fit the model exactly.
        device: such as 'cuda:0' or 'cpu'; default: the GPU if there is one.
        precision: auto, fp32, bf16 or fp16, see `choose_precision`.
        tta: more views of each image, whose probabilities are averaged: `flip` adds the mirror image, numbers are
            scales, as in `flip,0.75,1,1.25`.
        tile: side in pixels of square windows that each image is cut into, at its own size; default: the whole
            image, resized as in a test, or the windows that the config tests with.
        overlap: share of a tile that the next one covers, too; 0 to below 1.
        compile: let PyTorch generate code for the model; takes minutes, for long runs.
        bits: how many are in use of the 16 of a value, in photographs that store 16; default: what the config says.
        on_note: called with each note when it is made.
        content: of the checkpoint, from `read_checkpoint`; default: it is read here.

    Attributes:
        cfg: as given.
        model: the segmentor, in evaluation mode, without gradients.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the model's data set does with EXIF orientation: `apply` or `ignore`.
        bits: as given, or what the config says about photographs that store 16 bits; None: nothing.
        bands: which bands of a picture the model reads, and how they are scaled; None: it reads photographs. With
            bands, images are float32, shape (height, width, channels), from `bands.read`.
        precision: that was chosen.
        has_probabilities: whether the scores of the model can become probabilities, and confidence.
        is_stock: whether nothing of the model is changed, see `StockPredictor`.
        notes: sentences for the user: the precision that was chosen, images that did not fit into memory.

    Raises:
        ValueError: the weights don't fit the model, the file holds no class names, or an argument is out of range.
    """

    gives_all_probabilities = True
    is_stock = False

    def __init__(
        self,
        cfg: Config,
        checkpoint: str | Path,
        device: str | None = None,
        *,
        precision: str = "fp32",
        tta: str | None = None,
        tile: int | None = None,
        overlap: float = 0.25,
        compile: bool = False,
        bits: int | None = None,
        on_note: Callable[[str], None] | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        compat.repair()  # before the model imports parts of MMSegmentation, which warn
        check_tiles(tile, overlap)
        self._views = parse_views(tta)
        check_bits(bits)
        self.notes: list[str] = []
        self._on_note = on_note
        self.device = torch.device(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
        self.precision, reason = choose_precision(precision, self.device)
        self.cfg, self._compiles = cfg, compile
        self._lock = threading.RLock()
        self._opener = ModelOpener(cfg, checkpoint, self.device, self.is_stock)
        content = read_checkpoint(checkpoint) if content is None else content
        self.classes, self.palette = classes_and_palette(content, cfg, checkpoint)
        steps, self.exif, stated_bits, self.bands = read_test_pipeline(cfg)
        if self.bands is not None and bits is not None:
            raise InvalidInputError(
                f"`bits` {bits} has no effect: the model was trained on `bands`, which have a range; leave it out",
                code="E-input-no-effect",
            )
        self.bits = stated_bits if bits is None else bits
        init_default_scope(cfg.get("default_scope", "mmseg"))  # where the types of the steps are looked up
        self._pipeline = ArrayPipeline(steps)
        self.tile, self._overlap = tile, overlap
        scored_steps = steps if tile is None else without_resize(steps)
        self._scored_pipeline = ArrayPipeline(scored_steps)
        self._use_model(self._opener.open(content, self.precision), reason)
        if len(scored_steps) < len(steps):
            self._note("tiles: images keep their size, which the test pipeline of the config would change")
        self.has_probabilities = self._scorer.has_probabilities
        self._fitting_portions: dict[tuple[int, int], Portion] = {}  # by height and width of the images

    def _use_model(self, opened: tuple[nn.Module, str], reason: str) -> None:
        """Predict with a model from `ModelOpener`, whose precision is `self.precision` for this reason."""
        self.model, changes = opened
        self._note(f"precision: {self.precision} ({reason}), {changes}")
        scorer = Scorer(self.model, self._scored_pipeline, self.precision, *self._views)
        if self._compiles:
            self._note("compiling: that takes a minute, and as much again for the first images of other sizes")
            scorer.network = compile_network(scorer.network, self.model, self.precision)
        self._scorer = scorer

    def _use_fp32(self, error: NotFiniteError, overflown: Scorer) -> None:
        """Build the model again in fp32, after a smaller precision has overflowed.

        Args:
            error: from the scorer.
            overflown: the scorer; if another thread has replaced it already, nothing is done.

        Raises:
            NotFiniteError: the model is in fp32 already.
        """
        with self._lock:
            if overflown is not self._scorer:
                return
            if self.precision == "fp32":
                raise NotFiniteError(
                    f"{error}, in fp32 too; look at the image, and at other checkpoints of this training"
                ) from error
            before, self.precision = self.precision, "fp32"
            self._use_model(self._opener.open_again("fp32"), f"{error} in {before}")

    def __getstate__(self) -> dict:
        """Leave out the lock, which is made again in the other process, and `on_note`; a compiled model is refused."""
        if self._compiles:
            raise TypeError("a predictor that was compiled cannot be pickled; open the checkpoint in each process")
        return {**vars(self), "_lock": None, "_on_note": None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Segment one image by the model's `test_step`, as MMSegmentation does; tiles and views have no effect here.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            Train ids, uint8, shape (height, width).
        """
        with torch.inference_mode():
            return self.scores(image)[1]

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        confidence: bool = False,
        probabilities: bool = False,
        uncertainty: bool = False,
    ) -> list[Prediction]:
        """Segment images, as many at a time as fit into memory.

        If they do not fit, half as many are tried, then smaller and smaller windows; a note says so.

        Args:
            images: RGB, uint8, shape (height, width, 3), all of one size.
            confidence: also return the probability of the winning class.
            probabilities: also return those of every class: 2 bytes per class and pixel.
            uncertainty: also return `doubt`, `entropy` and `mass`.

        Raises:
            ValueError: the images differ in size or are not RGB with 8 bits, or the scores of the model cannot become
                probabilities.
            NotFiniteError: the scores are NaN or infinite in fp32. In bf16 or fp16 they are first computed again in
                fp32, and the model stays in fp32.
        """
        images = list(images)
        for image in images:
            check_image(image, self.bands)
        sizes = {(image.shape[0], image.shape[1]) for image in images}
        if len(sizes) > 1:
            raise InvalidInputError(
                f"images of {len(sizes)} sizes (height, width): {sorted(sizes)}; expected one", code="E-input-sizes"
            )
        wanted = Wanted(confidence, probabilities, uncertainty)
        predictions: list[Prediction] = []
        for size in sizes:
            while len(predictions) < len(images):
                predictions += self._predict_fitting(images[len(predictions) :], size, wanted)
        return predictions

    @torch.inference_mode()
    def predict_rows(
        self, image: np.ndarray | ImageWindows, *, confidence: bool = False, probabilities: bool = False
    ) -> Iterator[Prediction]:
        """Segment an image that need not fit into memory; needs `tile`.

        Args:
            image: RGB, uint8, shape (height, width, 3); or an object with such a `shape` that returns such an array
                for `image[top:bottom, left:right]`.
            confidence: as for `predict`.
            probabilities: as for `predict`.

        Yields:
            Some rows, from top to bottom.

        Raises:
            ValueError: there is no `tile`.
            NotFiniteError: the scores are NaN or infinite; in bf16 or fp16 the next call computes in fp32.
        """
        if self.tile is None:
            raise InvalidInputError(
                "rows come from tiles only: give Predictor a `tile`, such as 1024", code="E-input-no-tile"
            )
        scorer = self._scorer
        try:
            for scores in scorer.tiled([image], self.tile, self._overlap):
                (rows,) = split_images(predict_from_scores(scores, scorer, Wanted(confidence, probabilities)))
                yield rows
        except NotFiniteError as error:  # earlier rows were already returned in the smaller precision
            self._use_fp32(error, scorer)
            raise NotFiniteError(f"{error}; the model computes in fp32 from now on: try it again") from error

    def scores(self, image: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """Segment one image, and return the scores, too.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            The scores, float, shape (out_channels, height, width), on the device: logits, or with one channel the
            probability of the second class. The train ids, uint8, shape (height, width).

        Raises:
            NotFiniteError: the scores are NaN or infinite.
        """
        with torch.no_grad(), autocast(self.precision, self.device):
            # a BaseModel of MMEngine, whose `test_step` type checkers don't find in nn.Module
            sample = self.model.test_step(self.batch(image))[0]  # pyrefly: ignore[not-callable]
        refuse_not_finite(sample.seg_logits.data.amax(dim=0))
        train_ids = sample.pred_sem_seg.data.squeeze(0).to(torch.uint8).cpu().numpy()
        return sample.seg_logits.data, train_ids

    def batch(self, image: np.ndarray) -> dict:
        """Return one image (RGB, uint8; with `bands` float32) as `test_step` and the data preprocessor take it."""
        data = self._pipeline(dict(img=swap_channels(image)))  # the pipelines expect BGR
        return dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])

    def _predict_fitting(self, images: list[np.ndarray], size: tuple[int, int], wanted: Wanted) -> list[Prediction]:
        """Segment as many of the images as fit into memory."""
        start = portion = self._fitting_portions.get(size, Portion(len(images), self.tile))
        while True:
            scorer = self._scorer
            try:
                predictions = self._predict_portion(scorer, images[: portion.num_images], portion.window_px, wanted)
            except NotFiniteError as error:
                self._use_fp32(error, scorer)
                continue
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                tried = Portion(min(portion.num_images, len(images)), portion.window_px)
                smaller = smaller_portion(tried, max(scorer.size_of(images[0])))
                if smaller is None:
                    raise
            else:
                break
            portion = smaller
            if self.device.type == "cuda":  # not in the handler: the error keeps its tensors alive
                torch.cuda.empty_cache()
        if portion != start:
            self._fitting_portions[size] = portion
            num_images, side = portion
            how = f"{num_images} at a time" if side == self.tile else f"one by one in tiles of {side} x {side}"
            self._note(f"out of memory with images of {size[1]} x {size[0]}: they go on {how}")
        return predictions

    @torch.inference_mode()
    def _predict_portion(
        self, scorer: Scorer, images: list[np.ndarray], window_px: int | None, wanted: Wanted
    ) -> list[Prediction]:
        if self.tile is not None:
            bands = scorer.tiled(images, window_px or self.tile, self._overlap)
        else:
            bands = scorer.whole(images, window_px, self._overlap)
        return join_bands(
            (predict_from_scores(scores, scorer, wanted) for scores in bands), (images[0].shape[0], images[0].shape[1])
        )

    def _note(self, sentence: str) -> None:
        self.notes.append(sentence)
        if self._on_note is not None:
            self._on_note(sentence)
