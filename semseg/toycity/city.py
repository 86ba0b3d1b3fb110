"""What stands where: fills a street with houses, traffic and people and orders it for painting."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from semseg.toycity import facades, furniture, greenery, people, vehicles
from semseg.toycity.camera import Camera
from semseg.toycity.light import sample_light
from semseg.toycity.scene import Clear, Fill, Mark, Scene, Shadow, Thing
from semseg.toycity.stage import Pose, Stage
from semseg.toycity.street import Street, lay_ground, sample_street
from semseg.toycity.style import Style

_SIDES = (-1, 1)


@dataclass
class _Site:
    """A scene under construction."""

    stage: Stage
    style: Style
    street: Street
    groups: list[tuple[tuple[float, float, float, float], list[Thing]]] = field(default_factory=list)
    shadows: list[Shadow] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def put(self, things: list[Thing], x0: float, x1: float, z0: float, z1: float) -> None:
        """Stand things on a footprint."""
        if things:
            self.groups.append(((min(x0, x1), max(x0, x1), z0, z1), things))

    def is_free(self, x: float, z: float, half_x: float, half_z: float) -> bool:
        """Say whether nobody stands on a rectangle, and take it if so."""
        box = (x - half_x, x + half_x, z - half_z, z + half_z)
        for x0, x1, z0, z1 in self.taken:
            if box[0] < x1 and box[1] > x0 and box[2] < z1 and box[3] > z0:
                return False
        self.taken.append(box)
        return True

    def is_crossing(self, z0: float, z1: float) -> bool:
        """Say whether a stretch of the street meets the crossing street."""
        crossing = self.street.crossing
        return crossing is not None and z0 < crossing[1] and z1 > crossing[0]


def sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Draw a camera behind a windscreen.

    Args:
        rng: chance.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    focal_px = max(width, height) * rng.uniform(0.9, 1.1)
    horizon = height * rng.uniform(0.4, 0.48)
    return Camera(
        width=width,
        height=height,
        focal_px=float(focal_px),
        height_m=float(rng.uniform(1.3, 1.75)),
        pitch=float(np.arctan((height / 2 - horizon) / focal_px)),
        yaw=float(rng.uniform(-0.1, 0.1)),
        roll=float(rng.uniform(-0.008, 0.008)),
    )


def compose(rng: np.random.Generator, style: Style, width: int, height: int) -> Scene:
    """Draw a street at random.

    Args:
        rng: chance; the same state gives the same scene.
        style: of the city.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    wants = {name: bool(rng.random() < share) for name, share in _WANTED.items()}
    camera = sample_camera(rng, width, height)
    light = sample_light(rng, is_rosario=style.name == "rosario")
    stage = Stage(camera, light, rng)
    street = sample_street(rng, style, wants["train"])
    site = _Site(stage, style, street)
    ground = [Thing("sky", (Clear(_whole(camera)),), 1e9)]
    ground += _backdrop(stage, style)
    ground += lay_ground(stage, style, street)
    _add_lots(site, wants)
    _add_vehicles(site, wants)
    _add_furniture(site, wants)
    _add_people(site, wants)
    return Scene(
        camera=camera,
        light=light,
        ground=ground,
        shadows=site.shadows,
        standing=_in_painting_order(site.groups),
        frame=_frame(stage),
    )


_WANTED = {
    "train": 0.5, "bus": 0.52, "truck": 0.55, "wall": 0.7, "fence": 0.65, "cyclist": 0.62, "motorcyclist": 0.55,
    "parked bicycle": 0.4, "parked motorcycle": 0.42, "light": 0.72, "sign": 0.85, "open": 0.5, "group": 0.5,
}  # fmt: skip
"""In which share of the pictures each thing that a real street shows too rarely is placed."""


def _whole(camera: Camera) -> np.ndarray:
    width, height = float(camera.width), float(camera.height)
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)


def _backdrop(stage: Stage, style: Style) -> list[Thing]:
    """The town at the end of the street."""
    rng = stage.rng
    things = []
    z, x = 190.0, -40.0
    things += greenery.tree_line(stage, style, -130, 130, z + 5)
    while x < 40:
        wide = rng.uniform(8, 24)
        if rng.random() < 0.6:
            floors = int(rng.integers(*style.floors)) + 1
            things += facades.facing_building(stage, style, x, x + wide, z, floors)
        x += wide * rng.uniform(0.8, 1.4)
    return things


def _add_lots(site: _Site, wants: dict[str, bool]) -> None:
    """Line both sides with houses, walls, fences and gardens."""
    stage, rng, camera = site.stage, site.stage.rng, site.stage.camera
    queues: dict[int, list[str]] = {-1: [], 1: []}
    for name in ("wall", "fence", "open"):
        if wants[name]:
            queues[int(rng.choice(_SIDES))].append(name)
    for side in _SIDES:
        rng.shuffle(queues[side])
        x = site.street.house(side)
        slant = camera.width / 2 / camera.focal_px + side * np.tan(camera.yaw)
        seen_from = abs(x) / max(slant, 0.2)
        z = seen_from - rng.uniform(2, 9)
        while z < 130:
            length = rng.uniform(7, 17) * (1.0 if z < 55 else 1.8)
            if site.is_crossing(z, z + length):
                if z < site.street.crossing[0] - 5:
                    length = site.street.crossing[0] - 1.5 - z
                else:
                    z = site.street.crossing[1] + 1.5
                    continue
            if queues[side] and z > seen_from - 6:
                kind = queues[side].pop(0)
            else:
                kind = str(rng.choice(["house", "wall", "fence", "open"], p=[0.78, 0.07, 0.07, 0.08]))
            _add_lot(site, side, x, z, z + length, kind)
            z += length


def _add_lot(site: _Site, side: int, x: float, z0: float, z1: float, kind: str) -> None:
    stage, style, rng = site.stage, site.style, site.stage.rng
    floors = int(rng.integers(style.floors[0], style.floors[1] + 1))
    if kind == "house":
        site.put(facades.building(stage, style, x, z0, z1, floors), x, x + side * 12, z0, z1)
        _cast(site, x + side * 5, (z0 + z1) / 2, z1 - z0, 10.0, floors * facades.FLOOR_M)
        return
    if kind == "wall":
        site.put(furniture.wall(stage, style, x, z0, z1 - 0.3), x, x + side * 0.4, z0, z1 - 0.3)
        _cast(site, x, (z0 + z1) / 2, z1 - z0, 0.3, 2.0)
    elif kind == "fence":
        site.put(furniture.fence(stage, x, z0, z1 - 0.3), x, x + side * 0.1, z0, z1 - 0.3)
    elif stage.chance(0.35):
        height = stage.between(0.8, 1.5)
        site.put(greenery.hedge(stage, style, x + side * 0.3, z0, z1 - 1, height), x, x + side * 1.3, z0, z1 - 1)
    if stage.chance(0.5):
        back = x + side * stage.between(6, 10)
        site.put(facades.building(stage, style, back, z0 + 1, z1 - 0.5, max(1, floors - 1)),
                 back, back + side * 11, z0 + 1, z1 - 0.5)  # fmt: skip
    for _ in range(int(rng.integers(1, 4))):
        tx, tz = x + side * stage.between(2.0, 5.5), stage.between(z0 + 1, z1 - 1)
        if site.is_free(tx, tz, 0.8, 0.8):
            _add_tree(site, tx, tz)
    for _ in range(int(rng.integers(0, 3))):
        bx, bz = x + side * stage.between(1.0, 3.0), stage.between(z0 + 0.5, z1 - 1)
        if site.is_free(bx, bz, 0.4, 0.4):
            site.put(greenery.bush(stage, style, bx, bz, stage.between(0.7, 1.4)), bx - 0.4, bx + 0.4, bz, bz + 0.4)


def _cast(site: _Site, x: float, z: float, length: float, width: float, height: float) -> None:
    if z < 90:
        site.shadows += site.stage.shadows(Pose(x, z), length, width, height)


def _add_tree(site: _Site, x: float, z: float, scale: float = 1.0) -> None:
    site.put(greenery.tree(site.stage, site.style, x, z, scale), x - 0.3, x + 0.3, z - 0.3, z + 0.3)
    if site.stage.light.shadow and z < 60:
        reach = site.stage.light.sun / max(site.stage.light.sun[1], 0.12)
        _cast(site, x - reach[0] * 4, z - reach[2] * 4, 3.0, 3.0, 1.5)
    _cast(site, x, z, 0.5, 0.5, 3.0)


def _add_vehicles(site: _Site, wants: dict[str, bool]) -> None:
    stage, street, rng = site.stage, site.street, site.stage.rng
    ahead, parked = 0.0, street.right_kerb - 1.1
    left_edge = street.left_kerb + (3.4 if street.track_is_own else 0)
    opposite = (street.middle + left_edge + street.parking) / 2

    def drive(build, x: float, z: float, yaw: float, length: float, width: float, height: float) -> bool:
        turn = yaw + stage.between(-0.03, 0.03)
        sideways = abs(np.sin(turn)) > 0.7
        half_x, half_z = (length / 2, width / 2) if sideways else (width / 2, length / 2)
        if z - half_z < 4.5 or not site.is_free(x, z, half_x + 0.25, half_z + 0.7):
            return False
        pose = Pose(x, z, turn)
        site.put(build(stage, pose), x - half_x, x + half_x, z - half_z, z + half_z)
        site.shadows.extend(stage.shadows(pose, length * 0.98, width * 0.98, height))
        return True

    if wants["train"] and street.track is not None:
        z = stage.between(20, 42)
        drive(vehicles.tram, street.track, z, float(rng.choice([0.0, np.pi])), 22.0, 2.5, 3.3)
    big = [name for name in ("bus", "truck") if wants[name]]
    rng.shuffle(big)
    places = [(ahead, 0.0, (15, 30)), (opposite, np.pi, (13, 32)), (parked, 0.0, (17, 34)), (opposite, np.pi, (24, 48))]
    order = rng.permutation(3).tolist() + [3, 0, 2]
    for name in big:
        build, length = (vehicles.bus, 11.5) if name == "bus" else (vehicles.truck, 8.5)
        for place in order:
            x, yaw, reach = places[place]
            if place == 2 and not street.parking:
                x = parked - 0.6
            if drive(build, x, stage.between(*reach), yaw, length, 2.5, 3.1):
                break
    if street.crossing and stage.chance(0.5):  # somebody crosses
        middle = (street.crossing[0] + street.crossing[1]) / 2
        build, length = [(vehicles.car, 4.3), (vehicles.bus, 11.5), (vehicles.truck, 8.5)][rng.choice(3, p=[0.6, 0.2, 0.2])]
        drive(build, stage.between(-8, 8), middle, float(rng.choice([1, -1]) * np.pi / 2), length, 2.0, 1.8)
    for _ in range(int(rng.integers(1, 4))):
        drive(vehicles.car, ahead + stage.between(-0.3, 0.3), stage.between(9, 70), 0.0, 4.3, 1.8, 1.5)
    for _ in range(int(rng.integers(1, 5))):
        drive(vehicles.car, opposite + stage.between(-0.3, 0.3), stage.between(8, 75), np.pi, 4.3, 1.8, 1.5)
    if street.parking:
        for x, yaw, share in ((parked, 0.0, 0.55), (left_edge + 1.1, np.pi, 0.55)):
            z = stage.between(7, 12)
            while z < 56:
                if stage.chance(share) and not site.is_crossing(z - 8, z + 6):
                    drive(vehicles.car, x, z, yaw, 4.3, 1.8, 1.5)
                z += stage.between(5.3, 7)
    if wants["group"]:  # far cars that nobody would tell apart
        x, start, marks = float(rng.choice([parked, left_edge + 1.1])), stage.between(60, 75), []
        for index in range(4, -1, -1):
            for thing in vehicles.car(stage, Pose(x, start + index * 5.2)):
                marks += thing.marks if thing.label == "car" else ()
        if marks:
            site.put([Thing("cargroup", tuple(marks), start + 10)], x - 0.9, x + 0.9, start - 2, start + 24)


def _add_furniture(site: _Site, wants: dict[str, bool]) -> None:
    stage, style, street, rng = site.stage, site.style, site.street, site.stage.rng
    end = 75.0
    anchors: dict[int, list[tuple[float, float]]] = {-1: [], 1: []}
    for side in _SIDES:
        x = street.kerb(side) + side * 0.55
        z, step = stage.between(8, 17), stage.between(15, 24)
        is_wooden = stage.chance(style.wooden_poles)
        while z < end:
            if not site.is_crossing(z - 1, z + 1) and site.is_free(x, z, 0.25, 0.25):
                if is_wooden:
                    things = furniture.wooden_pole(stage, x, z)
                    anchors[side].append((x, z))
                else:
                    things = furniture.street_lamp(stage, x, z, -side)
                site.put(things, x - 0.1, x + 0.1, z - 0.1, z + 0.1)
                _cast(site, x, z, 0.2, 0.2, 6.5)
            z += step
        if stage.chance(0.75):
            z = stage.between(9, 16)
            verge = street.verge(side)
            tx = street.kerb(side) + side * (verge / 2 if verge else 0.9)
            while z < end:
                if not site.is_crossing(z - 3, z + 3) and stage.chance(0.75) and site.is_free(tx, z, 0.5, 0.8):
                    _add_tree(site, tx, z, stage.between(0.7, 1.0))
                z += stage.between(7, 13)
    if wants["light"]:
        z = (street.crossing[0] - 6.5) if street.crossing else (street.zebra or stage.between(13, 26)) - 2.2
        z = max(z, 10.5)
        for side in _SIDES:
            if side > 0 or stage.chance(0.75):
                x = street.kerb(side) + side * 0.45
                things = furniture.traffic_light(stage, x, z, -side, overhead=stage.chance(0.4))
                site.put(things, x - 0.1, x + 0.1, z - 0.1, z + 0.1)
    if wants["sign"]:
        for _ in range(int(rng.integers(2, 6))):
            side = int(rng.choice(_SIDES, p=[0.35, 0.65]))
            x, z = street.kerb(side) + side * stage.between(0.4, 0.8), stage.between(9, 30)
            if site.is_free(x, z, 0.3, 0.3):
                build = furniture.direction_board if stage.chance(0.25) else furniture.traffic_sign
                site.put(build(stage, x, z), x - 0.2, x + 0.2, z - 0.1, z + 0.1)
    if stage.chance(0.2):  # a railing keeps people off the road
        side = int(rng.choice(_SIDES))
        x, z = street.kerb(side) + side * 0.3, stage.between(9, 14)
        length = stage.between(6, 14)
        if not site.is_crossing(z, z + length):
            site.put(furniture.fence(stage, x, z, z + length, 1.0), x, x + 0.05, z, z + length)
    for _ in range(int(rng.integers(0, 4))):
        side = int(rng.choice(_SIDES))
        inner, outer = street.walk(side)
        x, z = stage.between(*sorted((outer - side * 0.5, inner + side * 0.6))), stage.between(12, 35)
        if site.is_free(x, z, 0.5, 0.5):
            build = furniture.bin_or_box if stage.chance(0.75) else furniture.left_bags
            site.put(build(stage, x, z), x - 0.3, x + 0.3, z - 0.3, z + 0.3)
    if style.wires:
        for side in _SIDES:
            if len(anchors[side]) > 1:
                hung = furniture.wires(stage, [(anchors[side][0][0], 2.0), *anchors[side]], stage.between(0, 0.4))
                # wires hang in front of everything but the nearest things
                site.put(hung, street.kerb(side), street.kerb(side) + 0.01, 1.0, 1.5)
    if style.bike_lane > 0.5 and street.bike_lane:
        x = street.right_kerb - street.parking - 1.6
        for z in np.arange(8, 40, 2.2):
            marks = stage.box(Pose(x, z), (-0.5, 0.5), (0, 0.14), (-0.09, 0.09), np.array([232.0, 196, 40]))
            site.put([Thing("static", tuple(marks), z)] if marks else [], x - 0.09, x + 0.09, z - 0.5, z + 0.5)


def _add_people(site: _Site, wants: dict[str, bool]) -> None:
    stage, street, rng = site.stage, site.street, site.stage.rng

    def stand(build, x: float, z: float, yaw: float, half: float, length: float, height: float) -> bool:
        if not site.is_free(x, z, half, half):
            return False
        pose = Pose(x, z, yaw)
        site.put(build(stage, pose), x - half, x + half, z - half, z + half)
        site.shadows.extend(stage.shadows(pose, length, 0.45, height))
        return True

    def try_often(times: int, place) -> None:
        for _ in range(times):
            if place():
                return

    lane = street.right_kerb - street.parking - 0.8
    away = [0.0, np.pi, 0.3, -0.3, np.pi + 0.4, np.pi / 2, -np.pi / 2]
    for name, build in (("cyclist", people.cyclist), ("motorcyclist", people.motorcyclist)):
        if not wants[name]:
            continue
        for _ in range(1 if stage.chance(0.6) else 2):
            yaw = float(rng.choice(away))

            def place(build=build, yaw=yaw) -> bool:
                z = stage.between(7.5, 19)
                x = lane if np.cos(yaw) > 0 else street.middle - stage.between(0.8, 2.5)
                x = x if stage.chance(0.6) else stage.between(street.left_kerb + 0.8, street.right_kerb - 0.8)
                return stand(build, x, z, yaw + stage.between(-0.25, 0.25), 0.55, 1.6, 1.6)

            try_often(8, place)
    for name, build in (("parked bicycle", people.bicycle), ("parked motorcycle", people.motorcycle)):
        if not wants[name]:
            continue
        side = int(rng.choice(_SIDES))
        start, turn = stage.between(9, 17), float(rng.choice([np.pi / 2, -np.pi / 2, 0.8, -0.6]))
        for index in range(int(rng.integers(1, 4))):
            x = street.kerb(side) + side * (1.1 if name == "parked bicycle" else stage.between(-0.5, 1.0))
            stand(build, x, start + index * 1.15, turn + stage.between(-0.15, 0.15), 0.5, 1.6, 0.9)
    for _ in range(int(rng.integers(4, 11))):
        side = int(rng.choice(_SIDES))
        inner, outer = street.walk(side)
        low, high = sorted((inner + side * 0.4, outer - side * 0.5))
        x, z = stage.between(low, high), stage.between(9, 45) if stage.chance(0.6) else stage.between(9, 20)
        yaw = float(rng.choice([0.0, np.pi])) + stage.between(-0.5, 0.5)
        if stand(people.person, x, z, yaw, 0.3, 0.4, 1.6) and stage.chance(0.3):
            stand(people.person, x + 0.62, z + 0.1, yaw, 0.3, 0.4, 1.6)
    if street.zebra:
        for _ in range(int(rng.integers(0, 4))):
            x, z = stage.between(street.left_kerb, street.right_kerb), street.zebra + stage.between(-1.2, 1.2)
            stand(people.person, x, z, float(rng.choice([-1, 1])) * np.pi / 2, 0.35, 0.4, 1.6)


def _in_painting_order(groups: list[tuple[tuple[float, float, float, float], list[Thing]]]) -> list[Thing]:
    """Sort things so that what hides is painted after what it hides."""
    if not groups:
        return []
    x0, x1, z0, z1 = np.array([footprint for footprint, _ in groups]).T
    apart = z0[:, None] >= z1[None] - 1e-6  # row stands behind column
    level = ~apart & ~apart.T
    outside = ((x0[:, None] >= x1[None] - 1e-6) & (x0[:, None] > 0)) | (
        (x1[:, None] <= x0[None] + 1e-6) & (x1[:, None] < 0)
    )
    behind = apart | (level & outside & ~outside.T)
    middle = z0 + z1
    unclear = level & ~outside & ~outside.T
    behind |= unclear & (middle[:, None] > middle[None])
    np.fill_diagonal(behind, False)
    waiting, order = np.ones(len(groups), bool), []
    while waiting.any():
        ready = waiting & ~(behind & waiting[:, None]).any(axis=0)
        candidates = np.flatnonzero(ready if ready.any() else waiting)
        chosen = candidates[np.argmax(z1[candidates])]
        waiting[chosen] = False
        order += groups[chosen][1]
    return order


def _frame(stage: Stage) -> list[Thing]:
    """The bonnet of the own car, and the border that no evaluation looks at."""
    camera, rng = stage.camera, stage.rng
    width, height = camera.width, camera.height
    high, middle = height * rng.uniform(0.05, 0.1), width * rng.uniform(0.47, 0.53)
    u = np.linspace(-0.02, 1.02, 25) * width
    v = height - high * (1 - ((u - middle) / (0.62 * width)) ** 2)
    color = stage.light.on(vehicles.CAR_COLORS[rng.integers(len(vehicles.CAR_COLORS))])
    sky = stage.light.horizon_rgb

    def band(lift: float, tone: np.ndarray, end: np.ndarray) -> Mark:
        edge = np.stack([u, v + lift * high], axis=1)
        corners = [(width * 1.02, height + 4), (-0.02 * width, height + 4)]
        return Fill(np.concatenate([edge, corners]).astype(np.float32), tone, end)

    shine = 0.45 * color + 0.4 * sky
    marks = [band(0.0, color * 0.5, color * 0.5), band(0.08, shine, color * 0.55)]
    things = [Thing("ego vehicle", tuple(marks), 1.0)]
    border = max(1.0, round(height / 128))
    for x0, y0, x1, y1 in (
        (0, 0, width, border), (0, height - border, width, height),
        (0, 0, border, height), (width - border, 0, width, height),
    ):  # fmt: skip
        strip = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
        things.append(Thing("out of roi", (Clear(strip),), 1.0))
    return things
