"""The styles of the cities: sizes, materials, colours, frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageColor


def colors(hex_codes: str) -> np.ndarray:
    """Return colours such as "#d4c8b0 #b26048" as RGB, float, shape (n, 3), 0 to 255."""
    return np.array([ImageColor.getrgb(code) for code in hex_codes.split()], float)


@dataclass(frozen=True)
class Style:
    """The sizes, materials, colours and frequencies of a city; pairs are ranges."""

    name: str
    facade_rgb: np.ndarray
    facade_textures: tuple[str, ...]
    roof_rgb: np.ndarray
    floors: tuple[int, int]
    pitched_roofs: float  # share of the buildings
    awnings: float  # share of the buildings
    road_half_m: tuple[float, float]
    sidewalk_m: tuple[float, float]
    road_textures: tuple[str, ...]
    sidewalk_textures: tuple[tuple[str, float], ...]  # name, edge of the tile in metres
    sidewalk_rgb: np.ndarray
    leaf_rgb: np.ndarray
    grass_rgb: np.ndarray
    wall_textures: tuple[str, ...]
    wooden_poles: float  # share of the sides of streets
    wires: bool
    bike_lane: float  # share of the streets
    has_bonnet: bool  # the picture shows the own car, and a border that is not evaluated


TOYCITY = Style(
    name="toycity",
    facade_rgb=colors(
        "#d4c8b0 #b26048 #e2ded4 #c4aa78 #96989c #a6846e #e0c496 #825444 #bcc4ba #cea082 #6e747c #96a8ba"
    ),
    facade_textures=("plaster", "plaster", "brick", "stone"),
    roof_rgb=colors("#8c4230 #5c3c34 #505258 #785442"),
    floors=(3, 6),
    pitched_roofs=0.65,
    awnings=0.2,
    road_half_m=(3.7, 5.2),
    sidewalk_m=(2.8, 5.0),
    road_textures=("asphalt", "asphalt", "asphalt", "cobble"),
    sidewalk_textures=(("slab", 6.0), ("slab", 4.0), ("cobble", 4.0), ("brick", 4.0)),
    sidewalk_rgb=colors("#98948e #868482 #a49688 #928076"),
    leaf_rgb=colors("#466428 #587432 #34542a #6e7c2e #a0782c #865c28 #405c3c"),
    grass_rgb=colors("#687e38 #7a8646 #908a54 #567430"),
    wall_textures=("stone", "brick", "stone", "plaster"),
    wooden_poles=0.0,
    wires=False,
    bike_lane=0.2,
    has_bonnet=True,
)

ROSARIO = Style(
    name="rosario",
    facade_rgb=colors("#deb264 #ecd6aa #e0a082 #f2e8ce #c6d4c4 #e8beb2 #cc8c54 #b4c8d6 #eedc82 #d8d0c4"),
    facade_textures=("plaster",),
    roof_rgb=colors("#aa9682 #968c82"),
    floors=(1, 3),
    pitched_roofs=0.0,
    awnings=0.6,
    road_half_m=(3.2, 4.0),
    sidewalk_m=(2.2, 3.4),
    road_textures=("asphalt", "cobble"),
    sidewalk_textures=(("baldosa", 3.2), ("baldosa", 5.0)),
    sidewalk_rgb=colors("#cebea0 #c4b4a4 #d2c8b2"),
    leaf_rgb=colors("#9670be #a882ce #d66ea0 #e088b2 #5a7638 #4c682e"),
    grass_rgb=colors("#868848 #968c56"),
    wall_textures=("brick", "plaster"),
    wooden_poles=0.75,
    wires=True,
    bike_lane=0.6,
    has_bonnet=False,
)

STYLES = {style.name: style for style in (TOYCITY, ROSARIO)}
