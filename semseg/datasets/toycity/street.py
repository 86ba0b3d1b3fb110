"""The ground of a street: its cross-section, surfaces and road markings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import UP, Stage, circle, on_ground
from semseg.datasets.toycity.style import Style

BEGIN_M, END_M = 0.8, 380.0
LANE_WHITE = np.array([222.0, 222, 214])
TRACK_WIDTH_M = 3.4


@dataclass(frozen=True)
class Street:
    """A straight street along z; every x is in metres, the camera drives at x = 0 on the right."""

    left_kerb: float
    right_kerb: float
    middle: float  # the line between the directions
    left_verge: float  # width of the grass between kerb and sidewalk
    right_verge: float
    left_house: float  # x of the line that houses, walls and fences stand on
    right_house: float
    track: float | None  # x of the tram's track
    track_is_own: bool  # the track has a bed of its own at the left of the road
    parking: float  # width of the parking lane on each side, 0 for none
    parking_is_paved: bool  # it has its own surface and is annotated as parking
    crossing: tuple[float, float] | None  # z where a street crosses
    zebra: float | None
    bike_lane: bool

    def kerb(self, side: int) -> float:
        """Return x of the kerb of a side (-1 left, 1 right)."""
        return self.left_kerb if side < 0 else self.right_kerb

    def house(self, side: int) -> float:
        """Return x of the house line of a side."""
        return self.left_house if side < 0 else self.right_house

    def verge(self, side: int) -> float:
        """Return the width of the grass of a side."""
        return self.left_verge if side < 0 else self.right_verge

    def walk(self, side: int) -> tuple[float, float]:
        """Return inner and outer x of the sidewalk of a side."""
        return self.kerb(side) + side * self.verge(side), self.house(side)


def sample_street(rng: np.random.Generator, style: Style, with_tram: bool) -> Street:
    """Sample the cross-section of a street."""
    half = rng.uniform(*style.road_half_m)
    parking = 2.1 if rng.random() < 0.5 else 0.0
    middle = -rng.uniform(1.5, 2.1)
    left, right = middle - half, middle + half + (parking if rng.random() < 0.8 else 0)
    left -= parking
    own_track = with_tram and rng.random() < 0.45
    track = None
    if own_track:
        track = left - TRACK_WIDTH_M / 2
        left -= TRACK_WIDTH_M
    elif with_tram:
        track = middle - min(half / 2, 2.2)
    verges = [rng.uniform(1.6, 3.4) if rng.random() < 0.48 else 0.0 for _ in range(2)]
    walks = [rng.uniform(*style.sidewalk_m) for _ in range(2)]
    crossing = None
    if rng.random() < 0.45:
        start = rng.uniform(24, 55)
        crossing = (start, start + rng.uniform(7, 11))
    zebra = None
    if rng.random() < 0.6:
        zebra = crossing[0] - 5.0 if crossing else rng.uniform(13, 30)
    return Street(
        left_kerb=left,
        right_kerb=right,
        middle=middle,
        left_verge=verges[0],
        right_verge=verges[1],
        left_house=left - verges[0] - walks[0],
        right_house=right + verges[1] + walks[1],
        track=track,
        track_is_own=own_track,
        parking=parking,
        parking_is_paved=rng.random() < 0.35,
        crossing=crossing,
        zebra=zebra,
        bike_lane=rng.random() < style.bike_lane,
    )


def _strip(x0: float, x1: float, z0: float = BEGIN_M, z1: float = END_M) -> list[tuple[float, float]]:
    return [(x0, z0), (x1, z0), (x1, z1), (x0, z1)]


def build_ground(stage: Stage, style: Style, street: Street) -> list[Thing]:
    """Build the surfaces, in painting order: lawn, sidewalks, verges, road, track, parking."""
    rng = stage.rng
    grass = stage.pick_color(style.grass_rgb, 10)
    paving = stage.pick_color(style.sidewalk_rgb, 12)
    paving_texture, paving_tile = style.sidewalk_textures[rng.integers(len(style.sidewalk_textures))]
    asphalt = np.array([1.0, 1.0, 1.03]) * rng.uniform(74, 122) + rng.uniform(-4, 4, 3)
    road_texture = str(rng.choice(style.road_textures))
    if road_texture == "cobble":
        asphalt = asphalt * (1.08, 1.03, 0.96)

    def lawn(x0: float, x1: float) -> list[Mark]:
        return stage.ground(_strip(x0, x1), grass, "grass", 0.34, 3.0)

    def pave_road(corners: list[tuple[float, float]]) -> list[Mark]:
        grain, tile = (0.11, 5.0) if road_texture == "asphalt" else (0.2, 3.6)
        return stage.ground(corners, asphalt, road_texture, grain, tile)

    things = [Thing("terrain", tuple(lawn(-160, 160)), 50.0)]
    for side in (-1, 1):
        inner, outer = street.walk(side)
        kerb = street.kerb(side)
        if street.verge(side):
            things.append(Thing("terrain", tuple(lawn(kerb + side * 0.2, inner)), 50.0))
        pavement = stage.ground(_strip(inner, outer), paving, paving_texture, 0.17, paving_tile)
        things.append(Thing("sidewalk", tuple(pavement), 50.0))
        stone = stage.light.shade(np.array([172.0, 170, 166]), UP)
        edge = stage.fill(on_ground(_strip(kerb, kerb + side * 0.22)), stone * 1.05, stone * 0.95)
        things.append(Thing("sidewalk", tuple(edge), 50.0))
    road = pave_road(_strip(street.left_kerb, street.right_kerb))
    if street.crossing:
        road += pave_road(_strip(-160, 160, *street.crossing))
    road += _road_paint(stage, street, road_texture)
    things.append(Thing("road", tuple(road), 50.0))
    if street.parking and street.parking_is_paved:
        for side in (-1, 1):
            edge = street.kerb(side)
            if side < 0 and street.track_is_own:
                edge += TRACK_WIDTH_M
            end = street.crossing[0] - 6 if street.crossing else END_M
            bay = stage.ground(_strip(edge - side * 2.1, edge, BEGIN_M, end), paving * 0.82, "cobble", 0.22, 4.0)
            things.append(Thing("parking", tuple(bay), 50.0))
    things += _build_track(stage, street, grass)
    return [thing for thing in things if thing.marks]


def _build_track(stage: Stage, street: Street, grass: np.ndarray) -> list[Thing]:
    if street.track is None:
        return []
    marks: list[Mark] = []
    if street.track_is_own:
        low, high = street.track - TRACK_WIDTH_M / 2, street.track + TRACK_WIDTH_M / 2
        if stage.chance(0.4):
            marks += stage.ground(_strip(low, high), grass * 0.95, "grass", 0.3, 3.0)
        else:
            marks += stage.ground(_strip(low, high), np.array([112.0, 104, 96]), "grain", 0.3, 8.0)
            sleeper = stage.light.shade(np.array([128.0, 122, 114]), UP)
            for z in np.arange(4, 45, 0.75):
                marks += stage.fill(on_ground(_strip(street.track - 1.2, street.track + 1.2, z, z + 0.26)), sleeper)
    for rail in (street.track - 0.72, street.track + 0.72):
        groove = stage.light.shade(np.array([48.0, 46, 46]), UP)
        shine = stage.light.shade(np.array([176.0, 176, 182]), UP)
        marks += stage.fill(on_ground(_strip(rail - 0.09, rail + 0.09)), groove)
        marks += stage.fill(on_ground(_strip(rail - 0.035, rail + 0.035)), shine)
    return [Thing("rail track" if street.track_is_own else "road", tuple(marks), 50.0)]


def _road_paint(stage: Stage, street: Street, texture: str) -> list[Mark]:
    """Make the marks of gutters, patches, manholes, lane markings and zebra crossing."""
    rng, light = stage.rng, stage.light
    left = street.left_kerb + (TRACK_WIDTH_M if street.track_is_own else 0)
    right = street.right_kerb
    marks: list[Mark] = []
    gutter = light.shade(np.array([66.0, 65, 64]), UP)
    for x in (left, right - 0.3):
        marks += stage.fill(on_ground(_strip(x, x + 0.3)), gutter)
    for _ in range(int(rng.integers(1, 6))):  # patches of newer asphalt
        x, z = rng.uniform(left + 0.4, right - 1.6), rng.uniform(5, 32)
        tone = rng.uniform(0.6, 0.85)
        corners = _strip(x, x + rng.uniform(0.6, 1.6), z, z + rng.uniform(0.8, 5))
        marks += stage.ground(corners, np.array([92.0, 92, 95]) * tone, "asphalt", 0.14, 4.0)
    for _ in range(int(rng.integers(0, 4))):
        x, z = rng.uniform(left + 0.8, right - 0.8), rng.uniform(6, 26)
        for radius, tone in ((0.36, 52), (0.3, 84)):
            marks += stage.fill(on_ground(circle(14) * radius + (x, z)), light.shade(np.full(3, float(tone)), UP))
    if street.bike_lane:
        x1 = right - street.parking - 0.1
        red = np.array([150.0, 84, 72]) if stage.chance(0.6) else np.array([92.0, 124, 92])
        end = street.crossing[0] if street.crossing else END_M
        marks += stage.ground(_strip(x1 - 1.4, x1, BEGIN_M, end), red, "asphalt", 0.12, 5.0)
        marks += stage.paint_line(_strip(x1 - 1.5, x1 - 1.36, BEGIN_M, end), LANE_WHITE)
    if texture == "asphalt" or stage.chance(0.5):
        white = LANE_WHITE * rng.uniform(0.78, 1.05)
        if stage.chance(0.15):
            white = white * (1.0, 0.85, 0.4)
        gap, dash, shift = rng.uniform(3, 5), rng.uniform(2.5, 4.5), rng.uniform(0, 4)
        crossing = street.crossing or (1e9, 1e9)
        z = 2.0 - shift
        while z < 110:
            if z + dash < crossing[0] - 7 or z > crossing[1]:
                marks += stage.paint_line(
                    _strip(street.middle - 0.08, street.middle + 0.08, max(z, 1), z + dash), white
                )
            z += gap + dash
        if street.parking and stage.chance(0.7):
            x = right - street.parking
            marks += stage.paint_line(_strip(x - 0.06, x + 0.06, BEGIN_M, min(crossing[0] - 7, 120)), white)
        if street.crossing:
            z = crossing[0] - 7
            marks += stage.paint_line(_strip(street.middle + 0.1, right - street.parking, z, z + 0.5), white)
    if street.zebra:
        x = left + 0.4
        while x + 0.5 < right:
            marks += stage.paint_line(_strip(x, x + 0.5, street.zebra - 1.6, street.zebra + 1.6), LANE_WHITE)
            x += 1.05
    return marks
