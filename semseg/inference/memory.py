"""What to do when a model needs more memory than there is: fewer images at a time, then smaller windows."""

from __future__ import annotations

from typing import NamedTuple

import torch

_SMALLEST_WINDOW_PX = 128


class Portion(NamedTuple):
    """How much a model segments at a time.

    Attributes:
        num_images: of one size.
        window_px: side of the square windows that they are cut into; None: the whole image.
    """

    num_images: int
    window_px: int | None


def smaller_portion(tried: Portion, image_px: int) -> Portion | None:
    """Return the next smaller portion: half of the images, then windows of half the side; None if there is none.

    Args:
        tried: what did not fit into memory.
        image_px: longer side of what the model gets of an image.
    """
    if tried.num_images > 1:
        return Portion(tried.num_images // 2, tried.window_px)
    window_px = (tried.window_px or image_px) // 2
    return None if window_px < _SMALLEST_WINDOW_PX else Portion(1, window_px)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is not enough memory."""
    phrases = ("can't allocate memory", "ALLOC_FAILED")  # of PyTorch on a CPU, and of GPU libraries
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(phrase in str(error) for phrase in phrases)
