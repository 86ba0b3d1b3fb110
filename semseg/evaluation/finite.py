"""Check that scores are finite: neither NaN nor infinite."""

from __future__ import annotations

import torch

from semseg.errors import InvalidInputError


class NotFiniteError(InvalidInputError):
    """The scores of a model are NaN or infinite, so no class can be chosen."""

    code = "E-input-not-finite"


def refuse_not_finite(best: torch.Tensor) -> None:
    """Check that the largest score of every pixel is finite; otherwise `argmax` would return the first class.

    Args:
        best: the largest score of every pixel; NaN if one of its scores is NaN.

    Raises:
        NotFiniteError: some are NaN or infinite.
    """
    num_bad = best.numel() - int(torch.isfinite(best).sum())
    if num_bad:
        raise NotFiniteError(
            f"the model's scores are no numbers (NaN or infinite) at {100 * num_bad / best.numel():.3g} % of the pixels"
        )
