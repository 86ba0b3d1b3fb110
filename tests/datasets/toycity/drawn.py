"""Annotations of planned pictures, without painting them."""

from collections.abc import Iterable, Iterator

import numpy as np

from semseg.datasets.toycity.city import compose
from semseg.datasets.toycity.outline import Annotation, annotate
from semseg.datasets.toycity.style import STYLES
from semseg.datasets.toycity.write import Picture


def annotations(pictures: Iterable[Picture]) -> Iterator[Annotation]:
    for picture in pictures:
        rng = np.random.default_rng(np.random.SeedSequence(picture.entropy))
        yield annotate(compose(rng, STYLES[picture.style], picture.width, picture.height))
