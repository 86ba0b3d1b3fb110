"""Small maps of train ids for the tests of the breakdowns."""

import cv2
import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

NUM_CLASSES = 3
IGNORED = 255


def blobs(seed, shape=(60, 90), num_classes=NUM_CLASSES, ignored=True):
    """Return train ids of round areas with irregular outlines, some of them ignored: uint8."""
    heights = np.random.default_rng(seed).random((num_classes + ignored, *shape), np.float32)
    train_ids = np.argmax([cv2.GaussianBlur(plane, (0, 0), 4) for plane in heights], axis=0).astype(np.uint8)
    return np.where(train_ids == num_classes, IGNORED, train_ids).astype(np.uint8)


def scores_of(predicted, seed=0, num_classes=NUM_CLASSES):
    """Return logits that are largest for the predicted class, float32, shape (num_classes, height, width)."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(num_classes, *predicted.shape)).astype(np.float32)
    np.put_along_axis(logits, predicted[None].astype(np.int64), logits.max(0) + random.random(logits.shape[1:]), 0)
    return torch.from_numpy(logits.astype(np.float32))


@st.composite
def images(draw, ignored=True):
    """Draw a prediction and a truth of one size."""
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
    train_ids = st.integers(0, NUM_CLASSES - 1)
    predicted = draw(arrays.arrays(np.uint8, shape, elements=train_ids))
    values = train_ids | st.just(IGNORED) if ignored else train_ids
    return predicted, draw(arrays.arrays(np.uint8, shape, elements=values))
