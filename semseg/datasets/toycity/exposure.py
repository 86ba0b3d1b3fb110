"""Effects of air, water, lens and sensor on a painted scene."""

from __future__ import annotations

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.scene import Scene
from semseg.labels import CITYSCAPES


def add_haze(image: np.ndarray, depth_m: np.ndarray, scene: Scene) -> np.ndarray:
    """Blend each pixel with the colour of the horizon, more so with distance.

    Args:
        image: RGB, float32, shape (height, width, 3), 0 to 255.
        depth_m: of each pixel, shape (height, width).
        scene: for its light.
    """
    share = (1 - np.exp(-depth_m / scene.light.visibility_m))[..., None]
    is_sky = depth_m >= 1999
    share[is_sky] = 0
    return image * (1 - share) + scene.light.horizon_rgb.astype(np.float32) * share


def add_reflections(image: np.ndarray, label_ids: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Mirror the scene on a wet road, blurred by the roughness of the asphalt; `image` as in `add_haze`."""
    camera = scene.camera
    horizon = int(camera.horizon)
    rows = np.clip(2 * horizon - np.arange(camera.height) + 6, 0, camera.height - 1)
    mirror = cv2.GaussianBlur(image[rows], (0, 0), sigmaX=1.5, sigmaY=9 * camera.height / 256)
    names = CITYSCAPES.by_name
    is_flat = np.isin(label_ids, [names["road"].label_id, names["sidewalk"].label_id, names["parking"].label_id])
    puddles = textures.window("cloud", tuple(rng.integers(0, 512, 2)), camera.width, camera.height, 1.6)
    puddles = cv2.GaussianBlur(puddles, (0, 0), 3, sigmaY=0.8)
    share = scene.light.wetness * (0.3 + 0.3 * np.clip(puddles + 0.3, 0, 1)) * is_flat
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 0.7)[..., None]
    return image * (1 - 0.25 * scene.light.wetness * is_flat[..., None]) * (1 - share) + mirror * share


def expose(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Add vignette, white balance, blur, gamma and noise; `image` as in `add_haze`. Returns uint8."""
    height, width = image.shape[:2]
    v, u = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = (1 - rng.uniform(0.05, 0.22) * (u**2 + v**2) / 2).astype(np.float32)
    balance = rng.uniform(0.96, 1.04, 3).astype(np.float32) * np.float32(rng.uniform(0.93, 1.07))
    image = image * vignette[..., None] * balance
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 0.75) * max(1.0, width / 1024))
    if scene.light.weather == "rain":
        image = _add_rain(image, rng)
    gamma = 255 * (np.arange(256) / 255) ** rng.uniform(0.9, 1.1)
    image = cv2.LUT(image.clip(0, 255).astype(np.uint8), gamma.astype(np.float32))
    coarse = rng.standard_normal((height, width, 1), np.float32)
    fine = rng.standard_normal((height, width, 3), np.float32)
    strength = rng.uniform(1.2, 3.2) * (1.5 if scene.light.is_dark else 1.0)
    image = image + strength * (0.75 * coarse + 0.6 * fine)
    return image.clip(0, 255).astype(np.uint8)


def _add_rain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-0.25, 0.25)
    for x, y, length in zip(
        rng.uniform(0, width, 160), rng.uniform(0, height, 160), rng.uniform(4, 14, 160), strict=True
    ):
        length *= height / 256
        cv2.line(streaks, (int(x), int(y)), (int(x + slant * length), int(y + length)), 1.0, 1)
    streaks = cv2.GaussianBlur(streaks, (0, 0), 0.7)[..., None] * 0.22
    return image * (1 - streaks) + 225 * streaks
