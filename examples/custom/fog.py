"""A transform of your own: fog, which is thicker at the top of a photograph, where the street is far away."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFog(BaseTransform):
    """Blend photographs with the colour of fog; for street scenes, where the distance grows towards the horizon.

    A transform gets a dict and returns it: `img` is the photograph, BGR, shape (height, width, 3), and `gt_seg_map` are
    the train ids, which fog does not change. Draw with `numpy.random`, `random` or `torch`: this project seeds them for
    each sample, so that a resumed run draws the same.

    Args:
        prob: share of the photographs that get fog.
        max_density: highest share of fog in a pixel, 0 to 1.
        horizon: height of the horizon, as a share from the top; the fog is thickest there and above.
    """

    def __init__(self, prob: float = 0.3, max_density: float = 0.7, horizon: float = 0.45) -> None:
        if not (0 <= prob <= 1 and 0 <= max_density <= 1 and 0 <= horizon < 1):
            raise ValueError(f"prob {prob}, max_density {max_density}, horizon {horizon}: expected 0 to 1")
        self.prob, self.max_density, self.horizon = prob, max_density, horizon

    def transform(self, results: dict) -> dict:
        """Add fog to `img`."""
        if np.random.rand() >= self.prob:
            return results
        image = results["img"]
        below = np.clip((np.linspace(0, 1, len(image)) - self.horizon) / (1 - self.horizon), 0, 1)
        density = np.random.uniform(0, self.max_density) * (1 - below)[:, None, None]
        brightness = np.random.uniform(180, 235)
        foggy = image * (1 - density) + brightness * density
        results["img"] = foggy.round().astype(image.dtype) if image.dtype == np.uint8 else foggy.astype(image.dtype)
        return results

    def __repr__(self) -> str:
        return f"RandomFog(prob={self.prob}, max_density={self.max_density}, horizon={self.horizon})"
