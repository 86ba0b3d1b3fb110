"""Light and weather of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Light:
    """Sun, sky and air. Colours are RGB: `sun_rgb` and `ambient_rgb` are factors around 1, the others 0 to 255."""

    weather: str
    sun: np.ndarray  # unit vector towards the sun
    sun_rgb: np.ndarray
    ambient_rgb: np.ndarray
    zenith_rgb: np.ndarray
    horizon_rgb: np.ndarray
    cloud_rgb: np.ndarray
    cloud_cover: float  # 0 to 1
    visibility_m: float
    shadow: float  # 0 to 1: how dark the sun's shadows are
    wetness: float  # 0 to 1
    is_dark: bool  # lamps and windows are lit

    def shade(self, color: np.ndarray, normal: np.ndarray | None = None) -> np.ndarray:
        """Return the colour of a lit surface.

        Args:
            color: of the surface, RGB 0 to 255, any shape (..., 3).
            normal: unit vector, shape (3,); None: the surface is round.

        Returns:
            The colour that the camera sees, same shape as `color`.
        """
        share = 0.45 if normal is None else max(0.0, float(np.dot(normal, self.sun)))
        upward = 0.0 if normal is None else 0.12 * float(normal[1])
        return np.asarray(color) * (self.ambient_rgb * (1 + upward) + self.sun_rgb * share)

    def reflection(self, strength: float) -> np.ndarray:
        """Return the colour of a window pane, a dark room blended with the reflected sky by `strength` (0 to 1)."""
        return 28 * self.ambient_rgb * (1 - strength) + strength * self.horizon_rgb

    def pane(self, strength: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """Return the colours of a window pane at its upper and lower edge; see `reflection`."""
        return self.reflection(strength), self.reflection(strength * 0.3)


def _rgb(*values: float) -> np.ndarray:
    return np.array(values, float)


def sample_light(rng: np.random.Generator, is_rosario: bool = False) -> Light:
    """Sample the weather of one picture; in Rosario the sun is low and warm."""
    if is_rosario:
        weather = rng.choice(["sun", "dusk", "overcast"], p=[0.65, 0.2, 0.15])
        elevation = rng.uniform(0.3, 0.65)
    else:
        weather = rng.choice(["sun", "overcast", "dusk", "fog", "rain"], p=[0.38, 0.26, 0.12, 0.1, 0.14])
        elevation = rng.uniform(0.5, 1.1)
    if weather == "dusk":
        elevation = rng.uniform(0.12, 0.3)
    azimuth = rng.uniform(0.5, 2 * np.pi - 0.5) if weather != "dusk" else rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    warmth = rng.uniform(-0.05, 0.05) + (0.11 if is_rosario else 0.0)
    tint = _rgb(1 + warmth, 1.0, 1 - warmth)
    gain = rng.uniform(0.92, 1.12) * (1.1 if is_rosario else 1.0)
    look: dict[str, Any]
    if weather == "sun":
        look = {
            "sun_rgb": _rgb(0.8, 0.73, 0.6) * rng.uniform(0.85, 1.15),
            "ambient_rgb": _rgb(0.52, 0.56, 0.64),
            "zenith_rgb": _rgb(66, 118, 190) + rng.uniform(-18, 18, 3),
            "horizon_rgb": _rgb(188, 210, 232) + rng.uniform(-10, 10, 3),
            "cloud_rgb": _rgb(248, 248, 250),
            "cloud_cover": rng.uniform(0.05, 0.6),
            "visibility_m": rng.uniform(350, 900),
            "shadow": rng.uniform(0.42, 0.6),
            "wetness": 0.0,
        }
    elif weather == "overcast":
        grey = rng.uniform(175, 228)
        look = {
            "sun_rgb": _rgb(0.14, 0.14, 0.13),
            "ambient_rgb": _rgb(0.74, 0.76, 0.78),
            "zenith_rgb": _rgb(grey - 32, grey - 26, grey - 16),
            "horizon_rgb": _rgb(grey, grey + 2, grey + 5),
            "cloud_rgb": _rgb(grey + 16, grey + 16, grey + 17),
            "cloud_cover": rng.uniform(0.7, 1.0),
            "visibility_m": rng.uniform(200, 500),
            "shadow": 0.0,
            "wetness": rng.choice([0.0, 0.25]),
        }
    elif weather == "dusk":
        look = {
            "sun_rgb": _rgb(0.75, 0.47, 0.27),
            "ambient_rgb": _rgb(0.44, 0.42, 0.52) * rng.uniform(0.85, 1.15),
            "zenith_rgb": _rgb(74, 84, 140) + rng.uniform(-14, 14, 3),
            "horizon_rgb": _rgb(246, 178, 118) + rng.uniform(-14, 14, 3),
            "cloud_rgb": _rgb(236, 148, 122),
            "cloud_cover": rng.uniform(0.2, 0.7),
            "visibility_m": rng.uniform(200, 500),
            "shadow": rng.uniform(0.25, 0.4),
            "wetness": 0.0,
        }
    elif weather == "fog":
        grey = rng.uniform(178, 215)
        look = {
            "sun_rgb": _rgb(0.08, 0.08, 0.07),
            "ambient_rgb": _rgb(0.74, 0.76, 0.78),
            "zenith_rgb": _rgb(grey - 8, grey - 4, grey),
            "horizon_rgb": _rgb(grey, grey, grey + 2),
            "cloud_rgb": _rgb(grey, grey, grey),
            "cloud_cover": 0.0,
            "visibility_m": rng.uniform(45, 100),
            "shadow": 0.0,
            "wetness": rng.choice([0.0, 0.4]),
        }
    else:
        grey = rng.uniform(130, 185)
        look = {
            "sun_rgb": _rgb(0.08, 0.08, 0.08),
            "ambient_rgb": _rgb(0.62, 0.65, 0.69),
            "zenith_rgb": _rgb(grey - 38, grey - 32, grey - 20),
            "horizon_rgb": _rgb(grey, grey + 3, grey + 8),
            "cloud_rgb": _rgb(grey + 6, grey + 6, grey + 8),
            "cloud_cover": rng.uniform(0.8, 1.0),
            "visibility_m": rng.uniform(110, 260),
            "shadow": 0.0,
            "wetness": rng.uniform(0.6, 1.0),
        }
    look["sun_rgb"] = look["sun_rgb"] * tint * gain
    look["ambient_rgb"] = look["ambient_rgb"] * tint * gain
    is_dark = weather in ("dusk", "rain") and rng.random() < 0.7
    return Light(weather=str(weather), sun=sun, is_dark=is_dark, **look)
