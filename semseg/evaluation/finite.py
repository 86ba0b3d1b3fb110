"""Scores that are no numbers: NaN or infinite."""

from __future__ import annotations

import torch

from semseg.errors import InvalidInputError


class NotFiniteError(InvalidInputError):
    """The scores of a model are NaN or infinite, so that no class can win."""


def refuse_not_finite(best: torch.Tensor) -> None:
    """Raise if the scores that win are no numbers: `argmax` would take the first class, and nobody would know.

    Args:
        best: the largest score at every pixel; a NaN among the scores makes it NaN.

    Raises:
        NotFiniteError: some are NaN or infinite.
    """
    num_bad = best.numel() - int(torch.isfinite(best).sum())
    if num_bad:
        raise NotFiniteError(
            f"the model's scores are no numbers (NaN or infinite) at {100 * num_bad / best.numel():.3g} % of the pixels"
        )
