"""Several networks as one segmentor, whose probabilities are the mean of theirs.

The mean is computed from logarithms. With l_k the scores of network k and log p_k = l_k - logsumexp(l_k), the scores of
the ensemble are l_1 + log(mean(p) / p_1): their softmax is the mean of the probabilities, and for networks that agree
in every bit they are l_1 itself. So an ensemble of one network with itself predicts exactly what the network predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch.nn import functional

from semseg.errors import InvalidConfigError


@MODELS.register_module()
def EnsembleSegmentor(members: Sequence[dict], data_preprocessor: dict, **kwargs: Any) -> torch.nn.Module:
    """Build an ensemble: an EncoderDecoder of MMSegmentation whose scores are those of all members.

    A function, as MMSegmentation's models are imported when one is built.

    Args:
        members: configs of EncoderDecoder models with the same classes.
        data_preprocessor: of all members.
        kwargs: `test_cfg`, as that of a member: windows are cut from the picture before the networks.

    Raises:
        ValueError: there are no members, or they have different outputs.
    """
    from mmseg.models.segmentors import EncoderDecoder

    base: Any = EncoderDecoder  # whose attributes are declared more narrowly than it uses them

    class Ensemble(base):
        """See `EnsembleSegmentor`."""

        def __init__(self) -> None:
            super(base, self).__init__(data_preprocessor=data_preprocessor)
            self.members: Any = torch.nn.ModuleList(MODELS.build(dict(member)) for member in members)
            outputs = {(member.num_classes, member.out_channels) for member in self.members}
            if len(outputs) != 1:
                raise InvalidConfigError(
                    f"EnsembleSegmentor: its {len(self.members)} members have {len(outputs)} kinds of outputs; expected"
                    " networks with the same classes",
                    code="E-config-classes",
                )
            ((self.num_classes, self.out_channels),) = outputs
            self.align_corners = self.members[0].align_corners
            self.train_cfg, self.test_cfg = None, kwargs.get("test_cfg") or self.members[0].test_cfg

        @property
        def decode_head(self) -> Any:
            """The head of the first network, which says what the scores mean."""
            return self.members[0].decode_head

        def encode_decode(self, inputs: torch.Tensor, batch_img_metas: list[dict]) -> torch.Tensor:
            """Return the scores of the ensemble, float32, shape (N, C, H, W)."""
            return mean_scores([member.encode_decode(inputs, batch_img_metas) for member in self.members])

        def loss(self, inputs: torch.Tensor, data_samples: list) -> dict:
            """Refuse: the members are trained one by one."""
            raise InvalidConfigError(
                "an ensemble cannot be trained; train its members one by one", code="E-config-unsupported"
            )

    return Ensemble()


def mean_scores(scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return scores whose probabilities are the mean of those of all scores.

    Args:
        scores: logits, each of shape (N, C, H, W); with C = 1 the sigmoid is the probability.

    Returns:
        float32, of the same shape.
    """
    scores = [part.float() for part in scores]
    if scores[0].shape[1] == 1:  # the logit of the mean: log(mean p) - log(mean (1 - p)), relative to the first
        seconds = [functional.logsigmoid(part) for part in scores]
        firsts = [functional.logsigmoid(-part) for part in scores]
        return scores[0] + _relative_mean(seconds) - _relative_mean(firsts)
    return scores[0] + _relative_mean([torch.log_softmax(part, dim=1) for part in scores])


def _relative_mean(log_probabilities: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return log(mean(p) / p_1); exactly 0 where all are equal, as exp(0) is 1, and log(1) is 0."""
    largest = torch.stack(list(log_probabilities)).amax(dim=0)
    total = torch.zeros_like(largest)
    for part in log_probabilities:
        total += torch.exp(part - largest)
    return (largest - log_probabilities[0]) + torch.log(total / len(log_probabilities))
