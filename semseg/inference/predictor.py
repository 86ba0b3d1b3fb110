"""One model, ready to segment images."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg import compat
from semseg.checkpoints.loading import load_strictly
from semseg.checkpoints.reading import read_checkpoint
from semseg.config.classes import classes_and_palette
from semseg.config.errors import explained
from semseg.config.tree import inner_datasets
from semseg.datasets.bit_depth import check_bits
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.errors import InvalidInputError
from semseg.evaluation.finite import NotFiniteError, refuse_not_finite
from semseg.inference.pipeline import ArrayPipeline
from semseg.inference.precision import autocast, choose_precision, compiled, made_fast
from semseg.inference.prediction import Prediction, Wanted, check_image, decide, join
from semseg.inference.scoring import Scorer, parse_views

_SMALLEST_TILE_PX = 128


class Predictor:
    """Segment images with the model of a config and the weights of a checkpoint.

    Args:
        cfg: from `for_inference`; not changed.
        checkpoint: weights that fit the model exactly.
        device: such as 'cuda:0' or 'cpu'; default: the GPU if there is one.
        precision: auto, fp32, bf16 or fp16, see `choose_precision`.
        tta: more views of each image, whose probabilities are averaged: `flip` adds the mirror image, numbers are
            scales, as in `flip,0.75,1,1.25`.
        tile: side in pixels of square windows that each image is cut into, in its own size; default: the whole
            image, resized as in a test, or the windows that the config tests by.
        overlap: share of a tile that the next one covers, too; 0 to below 1.
        compile: let PyTorch generate code for the model; takes minutes, for long runs.
        bits: how many are in use of the 16 of a value, in photographs that store 16; default: what the set that the
            model learnt from says.
        on_note: called with each note as it comes up.

    Attributes:
        model: the segmentor, in evaluation mode, without gradients.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the set that it learnt from does with EXIF orientation: `apply` or `ignore`.
        bits: as given, or what that set says of photographs that store 16 bits; None: nothing.
        device: where the model is.
        precision: that was chosen.
        tile: as given.
        has_probabilities: whether the scores of the model can become some, and confidence.
        notes: sentences that a user should see: the precision that was chosen, memory that did not suffice.

    Raises:
        ValueError: the weights don't fit the model, the file holds no class names, or an argument is out of range.
    """

    gives_all_probabilities = True

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
    ) -> None:
        compat.repair()  # before the model brings MMSegmentation's parts, which warn
        if tile is not None and tile < 1:
            raise InvalidInputError(f"tile {tile}: expected the side of a window in pixels, 1 or more")
        if not 0 <= overlap < 1:
            raise InvalidInputError(f"overlap {overlap}: expected a share of the tile, 0 to below 1")
        flips, scales = parse_views(tta)
        check_bits(bits)
        self.notes: list[str] = []
        self._on_note = on_note
        self.device = torch.device(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
        self.precision, reason = choose_precision(precision, self.device)
        self._compiles, self._views = compile, (flips, scales)
        self._lock = threading.RLock()
        # how careful the opening was, for a second one: later calls come in another context
        self._is_trusted, self._is_strangers = (
            compat.checkpoints_are_trusted(),
            compat.only_registered_names_are_used(),
        )
        self._cfg, self._checkpoint = cfg, checkpoint
        content = read_checkpoint(checkpoint)
        self.classes, self.palette = classes_and_palette(content, cfg, checkpoint)
        # an image has no annotation, and arrives as an array
        loads_truth = ("LoadAnnotations", "LoadTrainIds")
        steps = [
            step for step in inner_datasets(cfg.test_dataloader.dataset)[0].pipeline if step.type not in loads_truth
        ]
        self.exif = "ignore" if steps[0].get("color_type") == "color_ignore_orientation" else "apply"
        self.bits = steps[0].get("bits") if bits is None else bits
        if steps[0].type in PHOTOGRAPH_LOADERS:
            steps[0] = dict(type="mmseg.LoadImageFromNDArray")
        init_default_scope(cfg.get("default_scope", "mmseg"))  # where the names of steps are looked up
        self._pipeline = ArrayPipeline(steps)
        self.tile, self._overlap = tile, overlap
        scored_steps = steps
        if tile is not None:
            scored_steps = [step for step in steps if step["type"].rpartition(".")[2] != "Resize"]
        self._scored_pipeline = ArrayPipeline(scored_steps)
        self._build(content, reason)
        if len(scored_steps) < len(steps):
            self._note("tiles: images keep their size, which the test pipeline of the config would change")
        self.has_probabilities = self._scorer.has_probabilities
        self._fits: dict[tuple[int, ...], tuple[int, int | None]] = {}  # by size: images at a time, window

    def _build(self, content: dict, reason: str) -> None:
        """Build the model in `precision` from the content of its checkpoint."""
        init_default_scope(self._cfg.get("default_scope", "mmseg"))
        with explained(self._cfg):
            model = MODELS.build(self._cfg.copy().model)
        load_strictly(model, content, self._checkpoint)
        self.model, fused = made_fast(model.to(self.device).eval().requires_grad_(False), self.precision)
        self._note(f"precision: {self.precision} ({reason}), {'fused batch norms, ' if fused else ''}channels-last")
        scorer = Scorer(self.model, self._scored_pipeline, self.precision, *self._views)
        if self._compiles:
            self._note("compiling: that takes a minute, and as much again for the first images of other sizes")
            scorer.network = compiled(scorer.network, self.model, self.precision)
        self._scorer = scorer

    def _use_fp32(self, error: NotFiniteError, failed: Scorer) -> None:
        """Build the model anew in fp32, after a smaller precision has overflowed.

        Args:
            error: what it said.
            failed: what scored; nothing is done where another thread has replaced it already.

        Raises:
            NotFiniteError: it was fp32 already.
        """
        with self._lock:
            if failed is not self._scorer:
                return
            if self.precision == "fp32":
                raise NotFiniteError(
                    f"{error}, in fp32 too; look at the picture, and at other checkpoints of this training"
                ) from error
            before, self.precision = self.precision, "fp32"
            contextvars.copy_context().run(self._open_again, f"{error} in {before}")

    def _open_again(self, reason: str) -> None:
        """Read the checkpoint and build the model as carefully as the first time; in a context of its own."""
        if self._is_trusted:
            compat.trust_checkpoints()
        if self._is_strangers:
            compat.use_registered_names_only()
        self._build(read_checkpoint(self._checkpoint), reason)

    def __getstate__(self) -> dict:
        """Leave out what cannot be sent to another process: it makes a lock of its own, and keeps its notes.

        Raises:
            TypeError: the model was compiled.
        """
        if self._compiles:
            raise TypeError("a predictor that was compiled cannot be pickled; open the checkpoint in each process")
        return {**vars(self), "_lock": None, "_on_note": None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Segment one image as MMSegmentation's own code does, whatever tiles and views.

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
        """Segment images, together as far as the memory allows.

        What does not fit is tried with half as many images, then in smaller and smaller windows; a note says so.

        Args:
            images: RGB, uint8, shape (height, width, 3), all of one size.
            confidence: also return how sure the model is.
            probabilities: also return those of every class: 2 bytes per class and pixel.
            uncertainty: also return `doubt`, `entropy` and `mass`.

        Raises:
            ValueError: the images differ in size or have no three channels of 8 bits, or the model has no scores
                that could become probabilities.
            NotFiniteError: its scores are no numbers. Those of bf16 or fp16 are computed again in fp32 before that, and
                the model stays there.
        """
        images = list(images)
        for image in images:
            check_image(image)
        sizes = {image.shape[:2] for image in images}
        if len(sizes) > 1:
            raise InvalidInputError(f"images of {len(sizes)} sizes (height, width): {sorted(sizes)}; expected one")
        found: list[Prediction] = []
        for size in sizes:
            while len(found) < len(images):
                found += self._fitting(images[len(found) :], size, Wanted(confidence, probabilities, uncertainty))
        return found

    @torch.inference_mode()
    def predict_rows(
        self, image: np.ndarray, *, confidence: bool = False, probabilities: bool = False
    ) -> Iterator[Prediction]:
        """Segment an image that need not fit into memory; needs `tile`.

        Args:
            image: RGB, uint8, shape (height, width, 3); or what has such a `shape`, and gives such an array for
                `image[top:bottom, left:right]`.
            confidence, probabilities: as for `predict`.

        Yields:
            Some rows, from top to bottom.

        Raises:
            ValueError: there is no `tile`.
            NotFiniteError: the scores are no numbers; if that was in bf16 or fp16, the next call computes in fp32.
        """
        if self.tile is None:
            raise InvalidInputError("rows come from tiles only: give Predictor a tile, such as tile=1024")
        scorer = self._scorer
        try:
            for scores in scorer.tiled([image], self.tile, self._overlap):
                parts = decide(scores, scorer, Wanted(confidence, probabilities))
                yield Prediction(*(None if part is None else part[0] for part in parts))
        except NotFiniteError as error:  # the rows before it are out already
            self._use_fp32(error, scorer)
            raise NotFiniteError(f"{error}; the model computes in fp32 from now on: try it again") from error

    def scores(self, image: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """Segment one image, and return what the model decided by, too.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            The scores, float, shape (out_channels, height, width), on the device: logits, or with one channel the
            probability of the second class. The train ids, uint8, shape (height, width).

        Raises:
            NotFiniteError: the scores are no numbers.
        """
        with torch.no_grad(), autocast(self.precision, self.device):
            sample = self.model.test_step(self.batch(image))[0]
        refuse_not_finite(sample.seg_logits.data.amax(dim=0))
        return sample.seg_logits.data, _train_ids(sample)

    def batch(self, image: np.ndarray) -> dict:
        """Return one image (RGB, uint8) as `test_step` and the model's data preprocessor take it."""
        data = self._pipeline(dict(img=np.ascontiguousarray(image[:, :, ::-1])))  # the pipelines expect BGR
        return dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])

    def _fitting(self, images: list, size: tuple, wanted: Wanted) -> list[Prediction]:
        """Segment as many of the images as fit at a time."""
        count, window = start = self._fits.get(size, (len(images), self.tile))
        while True:
            scorer = self._scorer
            try:
                found = self._at_once(scorer, images[:count], window, wanted)
            except NotFiniteError as error:
                self._use_fp32(error, scorer)
                continue
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                smaller = (window or max(self._scorer.size_of(images[0]))) // 2
                if count == 1 and smaller < _SMALLEST_TILE_PX:
                    raise
            else:
                break
            # here, and not above: the error holds what was computed
            count, window = (min(count, len(images)) // 2, window) if count > 1 else (1, smaller)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        if (count, window) != start:
            self._fits[size] = count, window
            how = f"{count} at a time" if window == self.tile else f"one by one in tiles of {window} x {window}"
            self._note(f"out of memory with images of {size[1]} x {size[0]}: they go on {how}")
        return found

    @torch.inference_mode()
    def _at_once(self, scorer: Scorer, images: list, window: int | None, wanted: Wanted) -> list[Prediction]:
        if self.tile is not None:
            scored = scorer.tiled(images, window, self._overlap)
        else:
            scored = scorer.whole(images, window, self._overlap)
        return join((decide(scores, scorer, wanted) for scores in scored), images[0].shape[:2])

    def _note(self, sentence: str) -> None:
        self.notes.append(sentence)
        if self._on_note is not None:
            self._on_note(sentence)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that there is not enough memory."""
    words = ("can't allocate memory", "ALLOC_FAILED")  # what PyTorch says on a CPU, and GPU libraries
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(word in str(error) for word in words)


def _train_ids(sample: Any) -> np.ndarray:
    return sample.pred_sem_seg.data.squeeze(0).to(torch.uint8).cpu().numpy()
