"""What distinguishes one city from another: sizes, materials, colours, habits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Style:
    """The habits of a city; pairs are ranges."""

    name: str
    facade_rgb: np.ndarray
    facade_textures: tuple[str, ...]
    roof_rgb: np.ndarray
    floors: tuple[int, int]
    pitched_roofs: float  # share
    awnings: float  # share of the buildings
    road_half_m: tuple[float, float]
    sidewalk_m: tuple[float, float]
    road_textures: tuple[str, ...]
    sidewalk_textures: tuple[tuple[str, float], ...]  # and the edge of the tile in metres
    sidewalk_rgb: np.ndarray
    leaf_rgb: np.ndarray
    grass_rgb: np.ndarray
    wall_textures: tuple[str, ...]
    wooden_poles: float  # share
    wires: bool
    bike_lane: float  # share
    has_bonnet: bool  # the camera sees its own car, and a border that no evaluation looks at


TOYCITY = Style(
    name="toycity",
    facade_rgb=np.array(
        [
            (212, 200, 176), (178, 96, 72), (226, 222, 212), (196, 170, 120), (150, 152, 156),
            (166, 132, 110), (224, 196, 150), (130, 84, 68), (188, 196, 186), (206, 160, 130),
            (110, 116, 124), (150, 168, 186),
        ],
        float,
    ),
    facade_textures=("plaster", "plaster", "brick", "stone"),
    roof_rgb=np.array([(140, 66, 48), (92, 60, 52), (80, 82, 88), (120, 84, 66)], float),
    floors=(3, 6),
    pitched_roofs=0.65,
    awnings=0.2,
    road_half_m=(3.7, 5.2),
    sidewalk_m=(2.8, 5.0),
    road_textures=("asphalt", "asphalt", "asphalt", "cobble"),
    sidewalk_textures=(("slab", 6.0), ("slab", 4.0), ("cobble", 4.0), ("brick", 4.0)),
    sidewalk_rgb=np.array([(152, 148, 142), (134, 132, 130), (164, 150, 136), (146, 128, 118)], float),
    leaf_rgb=np.array(
        [
            (70, 100, 40), (88, 116, 50), (52, 84, 42), (110, 124, 46), (160, 120, 44), (134, 92, 40),
            (64, 92, 60),
        ],
        float,
    ),
    grass_rgb=np.array([(104, 126, 56), (122, 134, 70), (144, 138, 84), (86, 116, 48)], float),
    wall_textures=("stone", "brick", "stone", "plaster"),
    wooden_poles=0.0,
    wires=False,
    bike_lane=0.2,
    has_bonnet=True,
)  # fmt: skip

ROSARIO = Style(
    name="rosario",
    facade_rgb=np.array(
        [
            (222, 178, 100), (236, 214, 170), (224, 160, 130), (242, 232, 206), (198, 212, 196),
            (232, 190, 178), (204, 140, 84), (180, 200, 214), (238, 220, 130), (216, 208, 196),
        ],
        float,
    ),
    facade_textures=("plaster",),
    roof_rgb=np.array([(170, 150, 130), (150, 140, 130)], float),
    floors=(1, 3),
    pitched_roofs=0.0,
    awnings=0.6,
    road_half_m=(3.2, 4.0),
    sidewalk_m=(2.2, 3.4),
    road_textures=("asphalt", "cobble"),
    sidewalk_textures=(("baldosa", 3.2), ("baldosa", 5.0)),
    sidewalk_rgb=np.array([(206, 190, 160), (196, 180, 164), (210, 200, 178)], float),
    leaf_rgb=np.array(
        [(150, 112, 190), (168, 130, 206), (214, 110, 160), (224, 136, 178), (90, 118, 56), (76, 104, 46)],
        float,
    ),
    grass_rgb=np.array([(134, 136, 72), (150, 140, 86)], float),
    wall_textures=("brick", "plaster"),
    wooden_poles=0.75,
    wires=True,
    bike_lane=0.6,
    has_bonnet=False,
)  # fmt: skip

STYLES = {style.name: style for style in (TOYCITY, ROSARIO)}
