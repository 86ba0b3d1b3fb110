"""The parts of a scene: marks (painted polygons), the things that they make up, and the scene that orders them.

Coordinates are pixels of the picture (float), colours RGB from 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semseg.datasets.toycity.camera import Camera
from semseg.datasets.toycity.light import Light


@dataclass(frozen=True)
class Fill:
    """A polygon in one colour or in a gradient, with a texture or without."""

    polygon: np.ndarray  # (n, 2)
    color: np.ndarray
    end: np.ndarray | None = None  # the colour at the lower edge (right edge if sideways); None: one colour
    sideways: bool = False  # the gradient runs from left to right
    texture: str | None = None  # a name in textures.py
    grain: float = 0.0  # contrast of the texture
    texel_px: float = 1.0  # pixels of the picture per pixel of the texture
    offset: tuple[int, int] = (0, 0)  # column and row of the texture to begin at


@dataclass(frozen=True)
class Art:
    """An image (a facade, a fence) seen in perspective."""

    polygon: np.ndarray  # (n, 2)
    image: np.ndarray  # uint8, RGB or RGBA
    homography: np.ndarray  # (3, 3): pixels of the image to pixels of the picture


@dataclass(frozen=True)
class Ground:
    """A piece of the ground, with a texture in perspective."""

    polygon: np.ndarray  # (n, 2)
    color: np.ndarray
    texture: str
    grain: float
    tile_m: float  # edge of the texture in metres
    offset: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Clear:
    """A polygon that belongs to a thing but shows the background, such as the spokes of a wheel."""

    polygon: np.ndarray  # (n, 2)


Mark = Fill | Art | Ground | Clear


@dataclass(frozen=True)
class Thing:
    """An annotated object: a label and the marks that paint it, in order."""

    label: str | None  # a Cityscapes name or its group; None: painted but not annotated, such as wires
    marks: tuple[Mark, ...]
    depth_m: float
    wall_x_m: float | None = None  # x of a wall along the street, whose depth varies over the picture


@dataclass(frozen=True)
class Shadow:
    """A shadow on the ground."""

    polygon: np.ndarray  # (n, 2)
    strength: float  # 0 to 1
    is_contact: bool  # the soft shadow under a thing, with or without sun


@dataclass(frozen=True)
class Scene:
    """A street as the camera sees it; every list is in painting order."""

    camera: Camera
    light: Light
    ground: list[Thing]
    shadows: list[Shadow]
    standing: list[Thing]
    frame: list[Thing]  # the own car and the border

    @property
    def things(self) -> list[Thing]:
        """All things, in painting order."""
        return [*self.ground, *self.standing, *self.frame]
