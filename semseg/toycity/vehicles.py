"""Cars, trucks, buses and trams, built from boxes and bent sheets in metres.

A vehicle's own coordinates are (forward, up, right) from the middle of its footprint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semseg.toycity.scene import Mark, Thing
from semseg.toycity.stage import Pose, Stage

_CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 15)[:-1]])
DARK = np.array([24.0, 24, 27])
TYRE = np.array([30.0, 30, 32])
RIM = np.array([150.0, 152, 156])
GLASS_EDGE = np.array([38.0, 40, 44])
LAMP_WHITE = np.array([250.0, 248, 235])
LAMP_RED = np.array([200.0, 22, 26])

CAR_COLORS = np.array(
    [
        (228, 228, 226), (24, 25, 28), (120, 123, 128), (172, 175, 180), (150, 24, 30), (28, 52, 112),
        (64, 70, 80), (212, 205, 190), (36, 82, 62), (196, 88, 30), (70, 120, 170), (96, 66, 48), (214, 176, 46),
    ],
    float,
)  # fmt: skip
BUS_COLORS = np.array(
    [(236, 206, 60), (196, 40, 44), (238, 238, 236), (40, 96, 160), (60, 140, 90), (230, 130, 40)], float
)
TRAM_COLORS = np.array(
    [(240, 225, 160), (205, 40, 48), (60, 120, 80), (235, 236, 238), (236, 190, 40), (50, 90, 150)], float
)
TRUCK_COLORS = np.array(
    [(235, 236, 238), (190, 40, 40), (40, 80, 150), (230, 160, 40), (80, 120, 80), (150, 152, 158)], float
)


@dataclass
class Body:
    """Collects the marks of a vehicle."""

    stage: Stage
    pose: Pose
    marks: list[Mark]

    def world(self, local: list[tuple[float, float, float]]) -> np.ndarray:
        """Own coordinates to the world."""
        return self.pose.world(local)

    def side(self, profile: list[tuple[float, float]], right: float, color: np.ndarray, **look) -> bool:
        """Add a side panel given by (forward, up) corners; say whether it is seen."""
        points = self.world([(f, u, right) for f, u in profile])
        found = self.stage.face(points, self.world([(0, 1, 0)])[0], color, **look)
        self.marks += found
        return bool(found)

    def patch(
        self, corners: list[tuple[float, float, float]], lit: np.ndarray, end: np.ndarray | None = None
    ) -> None:
        """Add a detail in a colour that is lit already."""
        self.marks += self.stage.fill(self.world(corners), lit, end)

    def side_patch(
        self, low: tuple[float, float], high: tuple[float, float], right: float, lit, end=None
    ) -> None:
        """Add a rectangle on a side, from (forward, up) to (forward, up)."""
        (f0, u0), (f1, u1) = low, high
        self.patch([(f0, u0, right), (f1, u0, right), (f1, u1, right), (f0, u1, right)], lit, end)

    def end_patch(self, low: tuple[float, float], high: tuple[float, float], forward: float, lit, end=None):
        """Add a rectangle on the front or back, from (right, up) to (right, up)."""
        (r0, u0), (r1, u1) = low, high
        self.patch([(forward, u0, r0), (forward, u0, r1), (forward, u1, r1), (forward, u1, r0)], lit, end)

    def sheet(self, profile: list[tuple[float, float]], half: list[float], color: np.ndarray, **look) -> list:
        """Add the bands of a body between its two sides; return the seen ones as (index, corners)."""
        centre = self.world([(np.mean([f for f, _ in profile]), np.mean([u for _, u in profile]), 0)])[0]
        seen = []
        for index in range(len(profile) - 1):
            (f0, u0), (f1, u1) = profile[index], profile[index + 1]
            h0, h1 = half[index], half[index + 1]
            corners = self.world([(f0, u0, -h0), (f0, u0, h0), (f1, u1, h1), (f1, u1, -h1)])
            found = self.stage.face(corners, centre, color, **look)
            if found:
                seen.append((index, corners))
            self.marks += found
        return seen

    def faces_front(self, forward: float) -> bool:
        """Say whether the camera sees a cross-section at `forward` from its outer side."""
        inside = self.world([(0, 1, 0)])[0]
        plane = self.world([(forward, 0.2, -0.5), (forward, 0.2, 0.5), (forward, 1, 0.5)])
        return self.stage.visible_normal(plane, inside) is not None

    def seen_side(self, half: float) -> float | None:
        """The side (right coordinate) that looks at the camera, if any."""
        for right in (-half, half):
            plane = self.world([(-0.5, 0.2, right), (0.5, 0.2, right), (0.5, 1, right)])
            if self.stage.visible_normal(plane, self.world([(0, 1, 0)])[0]) is not None:
                return right
        return None

    def wheel(self, forward: float, right: float, radius: float) -> None:
        """Add a wheel on a side."""
        light = self.stage.light
        layers = [(1.14, DARK * 0.6), (1.0, TYRE), (0.64, RIM), (0.5, RIM * 0.55), (0.2, RIM)]
        if self.stage.px_per_m(self.pose.z) * radius < 8:
            layers = layers[1:3]
        for share, color in layers:
            circle = np.column_stack([_CIRCLE * share * radius + (forward, radius), np.full(len(_CIRCLE), right)])
            self.patch(circle, light.on(color))

    def glass(self, corners: list[tuple[float, float, float]], strength: float = 0.5) -> None:
        """Add a pane: a dark inside under a mirrored sky."""
        light = self.stage.light
        self.patch(corners, light.reflection(strength), light.reflection(strength * 0.3))


def _mix(points: np.ndarray, u: float, v: float) -> np.ndarray:
    """A point of a quadrilateral (bottom left, bottom right, top right, top left) by its shares."""
    low, high = points[0] * (1 - u) + points[1] * u, points[3] * (1 - u) + points[2] * u
    return low * (1 - v) + high * v


def _inset(points: np.ndarray, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
    return np.array([_mix(points, u0, v0), _mix(points, u1, v0), _mix(points, u1, v1), _mix(points, u0, v1)])


CAR_SHAPES = {
    # length, width, height, waist, bonnet length and height, foot and top of windscreen, rear top and foot
    "hatch": (3.9, 1.72, 1.48, 0.92, 0.85, (0.95, 0.25), (-1.45, -1.88)),
    "sedan": (4.55, 1.8, 1.45, 0.9, 0.84, (0.95, 0.2), (-0.95, -1.55)),
    "suv": (4.5, 1.85, 1.7, 1.02, 0.98, (1.0, 0.45), (-1.8, -2.15)),
    "van": (4.8, 1.9, 1.98, 1.1, 1.05, (1.6, 0.95), (-2.2, -2.36)),
}


def car(stage: Stage, pose: Pose, shape: str | None = None, color: np.ndarray | None = None) -> list[Thing]:
    """Build a car and its license plate."""
    rng = stage.rng
    shape = shape or str(rng.choice(list(CAR_SHAPES), p=[0.34, 0.3, 0.24, 0.12]))
    color = CAR_COLORS[rng.integers(len(CAR_COLORS))] + rng.uniform(-8, 8, 3) if color is None else color
    length, width, height, waist, bonnet, (ws_foot, ws_top), (rear_top, rear_foot) = CAR_SHAPES[shape]
    half, front, back, floor = width / 2, length / 2, -length / 2, 0.26
    is_far = stage.px_per_m(pose.z) * height < 14
    body = Body(stage, pose, [])
    body.marks += stage.box(pose, (back + 0.2, front - 0.2), (0.0, 0.5), (-half + 0.08, half - 0.08), DARK)
    deck = waist + 0.04 if shape == "sedan" else waist
    lower = [(front - 0.06, floor), (front, 0.55), (front - 0.12, bonnet - 0.1), (ws_foot, waist)]
    lower += [(rear_foot, deck), (back + 0.05, deck - 0.04), (back, 0.5), (back + 0.08, floor)]
    widths = [half * 0.94, half, half * 0.94, half * 0.97, half * 0.97, half * 0.94, half, half * 0.94]
    seen = body.sheet(lower, widths, color, fade=0.12)
    side = body.seen_side(half)
    if side is not None:
        body.side(lower, side, color, fade=0.38)
    cabin = [(ws_foot, waist), (ws_top, height - 0.03), (rear_top, height), (rear_foot, deck)]
    top = half * 0.76
    bands = dict(body.sheet(cabin, [half * 0.93, top, top, half * 0.93], color))
    light = stage.light
    for index in (0, 2):
        if index in bands:
            quad = bands[index] if index == 0 else bands[index][[1, 0, 3, 2]][[3, 2, 1, 0]]
            pane = _inset(quad, 0.06, 0.94, 0.06, 0.9)
            body.marks += stage.fill(pane[[3, 2, 1, 0]], light.reflection(0.6), light.reflection(0.12))
            if not is_far and index == 0:
                for u in (0.3, 0.7):  # head rests behind the windscreen
                    rest = _inset(quad, u - 0.07, u + 0.07, 0.15, 0.55)
                    body.marks += stage.fill(rest, light.reflection(0.05))
    if side is not None:
        sign = np.sign(side)
        frame = [(f, u, sign * (half * 0.95 if u < waist + 0.1 else top)) for f, u in cabin]
        corners = body.world(frame)
        if stage.visible_normal(corners, body.world([(0, waist + 0.1, 0)])[0]) is not None:
            body.marks += stage.fill(corners, light.on(color, stage.visible_normal(corners, body.world([(0, 1, 0)])[0])))
            _side_windows(body, cabin, sign, half, top, shape)
        for forward in (front - 0.78, back + 0.74):
            body.wheel(forward, side, 0.33 if shape != "suv" else 0.37)
        if not is_far:
            dark = light.on(color * 0.45)
            for f in (ws_foot - 0.05, (ws_foot + rear_foot) / 2, rear_foot + 0.35):
                body.side_patch((f - 0.012, floor + 0.15), (f + 0.012, waist), side, dark)
            body.side_patch((front - 0.25, 0.62), (front - 0.02, 0.76), side, light.on(LAMP_WHITE) * 0.9)
            body.side_patch((back + 0.02, 0.68), (back + 0.2, 0.84), side, light.on(LAMP_RED))
    things = [Thing("car", (), pose.z)]
    plate = _car_end(body, front, back, half, bonnet, waist, is_far) if seen else None
    things = [Thing("car", tuple(body.marks), pose.z)]
    if plate:
        things.append(Thing("license plate", tuple(plate), pose.z))
    return things


def _side_windows(body: Body, cabin: list, sign: float, half: float, top: float, shape: str) -> None:
    (f0, waist), (f1, high), (f2, _), (f3, _) = cabin

    def at(forward: float, share: float) -> tuple[float, float, float]:
        return forward, waist + (high - waist) * share, sign * (half * 0.95 * (1 - share) + top * share)

    low, up = 0.1, 0.86
    posts = np.linspace(f0 - 0.18, f3 + 0.18, 3 if shape in ("sedan", "hatch") else 4)
    for front, back in zip(posts[:-1], posts[1:], strict=True):
        front, back = front - 0.04, back + 0.04
        top_front = min(front, f1 - 0.05 + (f0 - f1) * (1 - up))
        top_back = max(back, f2 + 0.05 + (f3 - f2) * (1 - up))
        body.glass([at(front, low), at(back, low), at(top_back, up), at(top_front, up)], 0.45)


def _car_end(
    body: Body, front: float, back: float, half: float, bonnet: float, waist: float, is_far: bool
) -> list[Mark] | None:
    """Lamps, grille and bumper of the end that is seen; return the marks of the license plate."""
    light, stage = body.stage.light, body.stage
    is_front = body.faces_front(front)
    if not is_front and not body.faces_front(back):
        return None
    f = front + 0.01 if is_front else back - 0.01
    high = bonnet - 0.12 if is_front else waist - 0.06
    lamp = light.on(LAMP_WHITE) if is_front else light.on(LAMP_RED)
    if light.is_dark:
        lamp = LAMP_WHITE * 1.02 if is_front else np.array([255.0, 50, 40])
    elif not is_front and stage.chance(0.4):
        lamp = np.array([250.0, 40, 34])  # braking
    for sign in (-1, 1):
        low, up = (sign * half * 0.92, high - 0.17), (sign * half * 0.58, high)
        body.end_patch(low, up, f, light.on(DARK * 1.6))
        body.end_patch((low[0] * 0.98, low[1] + 0.02), (up[0] * 1.04, up[1] - 0.02), f, lamp)
    if is_far:
        return None
    if is_front:
        body.end_patch((-half * 0.5, high - 0.16), (half * 0.5, high - 0.02), f, light.on(DARK * 1.2))
        body.end_patch((-half * 0.5, high - 0.1), (half * 0.5, high - 0.08), f, light.on(RIM))
    body.end_patch((-half * 0.85, 0.27), (half * 0.85, 0.4), f, light.on(DARK * 1.5))
    plate_u = 0.42 if is_front else 0.56
    corners = [(f, plate_u, -0.26), (f, plate_u, 0.26), (f, plate_u + 0.13, 0.26), (f, plate_u + 0.13, -0.26)]
    return stage.fill(body.world(corners), light.on(np.array([232.0, 232, 224])))


def bus(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a city bus: tall, flat, a band of windows, doors, a lit destination."""
    rng, light = stage.rng, stage.light
    length, half, height, floor = rng.uniform(10.5, 12.0), 1.26, rng.uniform(3.0, 3.25), 0.32
    front, back = length / 2, -length / 2
    color = BUS_COLORS[rng.integers(len(BUS_COLORS))] + rng.uniform(-10, 10, 3)
    second = BUS_COLORS[rng.integers(len(BUS_COLORS))] if stage.chance(0.5) else color * 0.7
    body = Body(stage, pose, [])
    body.marks += stage.box(pose, (back + 0.3, front - 0.3), (0.0, 0.5), (-half + 0.1, half - 0.1), DARK)
    profile = [(front - 0.03, floor), (front, 1.0), (front - 0.1, height - 0.15), (front - 0.3, height)]
    profile += [(back + 0.15, height), (back, height - 0.2), (back, floor)]
    body.sheet(profile, [half] * len(profile), color, fade=0.14)
    side = body.seen_side(half)
    if side is not None:
        body.side(profile, side, color, fade=0.25, texture="plaster", grain=0.05)
        normal_light = light.on(second)
        body.side_patch((back + 0.02, 0.72), (front - 0.02, 0.95), side, normal_light)
        body.side_patch((back + 0.25, 1.28), (front - 0.2, 2.5), side, light.reflection(0.04))
        count = 7
        posts = np.linspace(back + 0.35, front - 0.3, count + 1)
        for index in range(count):
            f0, f1 = posts[index] + 0.05, posts[index + 1] - 0.05
            is_door = index in (1, 4) and side > 0 or index == 6 and side > 0
            low = 0.4 if is_door else 1.34
            if light.is_dark:
                lit = np.array([235.0, 214, 160]) * rng.uniform(0.75, 1.0)
                body.side_patch((f0, low), (f1, 2.42), side, lit, lit * 0.8)
            else:
                body.glass([(f0, 2.42, side), (f1, 2.42, side), (f1, low, side), (f0, low, side)], 0.42)
            if is_door:
                body.side_patch(((f0 + f1) / 2 - 0.04, low), ((f0 + f1) / 2 + 0.04, 2.42), side, light.on(DARK))
        for f in (front - 2.6, back + 3.0):
            body.wheel(f, side, 0.48)
    is_front = body.faces_front(front)
    if is_front or body.faces_front(back):
        f = front + 0.02 if is_front else back - 0.02
        pane_low, pane_high = (1.15, height - 0.55) if is_front else (1.6, height - 0.7)
        body.end_patch((-half * 0.94, pane_low - 0.05), (half * 0.94, height - 0.12), f, light.on(DARK))
        body.glass(
            [(f, pane_high, -half * 0.9), (f, pane_high, half * 0.9), (f, pane_low, half * 0.9), (f, pane_low, -half * 0.9)],
            0.62,
        )
        amber = np.array([255.0, 176, 40]) * (1 if is_front else 0.85)
        body.end_patch((-half * 0.62, height - 0.44), (half * 0.55, height - 0.2), f, light.on(DARK) * 0.5)
        for r in np.arange(-0.6, 0.55, 0.2):
            body.end_patch((r * half, height - 0.4), ((r + 0.13) * half, height - 0.24), f, amber)
        body.end_patch((-half, 0.78), (half, 0.92), f, light.on(second))
        lamp = LAMP_WHITE if is_front else LAMP_RED * 1.1
        for sign in (-1, 1):
            body.end_patch((sign * half * 0.92, 0.55), (sign * half * 0.62, 0.74), f, light.on(lamp) * 1.1)
            if is_front:  # mirrors hang at the sides like ears
                mirror = [(f, 1.7, sign * half), (f, 1.7, sign * (half + 0.25)), (f, 2.3, sign * (half + 0.25)), (f, 2.3, sign * half)]
                body.patch(mirror, light.on(DARK))
        if not is_front:
            body.end_patch((-half * 0.7, 0.95), (half * 0.7, 1.45), f, light.on(color * 0.55))
            for u in np.arange(1.0, 1.42, 0.1):
                body.end_patch((-half * 0.66, u), (half * 0.66, u + 0.03), f, light.on(DARK))
    return [Thing("bus", tuple(body.marks), pose.z)]


def truck(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a truck: a cab, a gap, and a box, a tarpaulin or a tipper behind it."""
    rng, light = stage.rng, stage.light
    kind = str(rng.choice(["box", "tarpaulin", "tipper"], p=[0.4, 0.4, 0.2]))
    length, half = rng.uniform(7.0, 9.0), 1.22
    front, back = length / 2, -length / 2
    cab_back = front - rng.uniform(1.9, 2.3)
    cab_high, load_high = rng.uniform(2.5, 2.9), rng.uniform(3.1, 3.6) if kind != "tipper" else 2.1
    cab_color = TRUCK_COLORS[rng.integers(len(TRUCK_COLORS))] + rng.uniform(-10, 10, 3)
    load_color = TRUCK_COLORS[rng.integers(len(TRUCK_COLORS))] + rng.uniform(-10, 10, 3)
    body = Body(stage, pose, [])
    is_front = body.faces_front(front)
    side = body.seen_side(half)

    def chassis() -> None:
        body.marks.extend(
            stage.box(pose, (back + 0.1, front - 0.3), (0.35, 0.95), (-half + 0.25, half - 0.25), DARK * 1.3)
        )
        body.marks.extend(stage.box(pose, (back + 0.4, back + 1.6), (0, 0.9), (-half + 0.1, half - 0.1), DARK * 0.7))
        body.marks.extend(stage.box(pose, (front - 1.7, front - 0.8), (0, 0.9), (-half + 0.1, half - 0.1), DARK * 0.7))

    def load() -> None:
        texture = "plaster" if kind != "tipper" else "grain"
        body.marks.extend(
            stage.box(pose, (back, cab_back - 0.25), (0.95, load_high), (-half, half), load_color,
                      fade=0.18, texture=texture, grain=0.1)
        )  # fmt: skip
        dark = light.on(load_color * 0.72)
        if side is not None:
            if kind == "tarpaulin":
                for f in np.linspace(back + 0.2, cab_back - 0.5, 7):
                    body.side_patch((f, 1.0), (f + 0.07, load_high - 0.1), side, dark)
                body.side_patch((back, 0.95), (cab_back - 0.25, 1.2), side, light.on(RIM))
            elif kind == "tipper":
                for f in np.linspace(back + 0.1, cab_back - 0.5, 6):
                    body.side_patch((f, 1.0), (f + 0.16, load_high), side, dark)
            else:
                second = light.on(CAR_COLORS[rng.integers(len(CAR_COLORS))])
                body.side_patch((back + 0.8, 1.7), (cab_back - 1.0, 2.5), side, second)
            body.side_patch((back + 1.8, 0.45), (cab_back - 0.6, 0.9), side, light.on(RIM * 0.8))
        if not is_front and body.faces_front(back):
            f = back - 0.01
            for r in (-half, -0.03, half - 0.07):
                body.end_patch((r, 0.95), (r + 0.07, load_high), f, dark)
            body.end_patch((-half, load_high - 0.1), (half, load_high), f, dark)
            for r in (-0.45, 0.4):
                body.end_patch((r, 1.0), (r + 0.04, load_high - 0.1), f, light.on(RIM))
            body.end_patch((-half, 0.5), (half, 0.62), f, light.on(np.array([210.0, 60, 40])))
            for sign in (-1, 1):
                body.end_patch((sign * half, 0.66), (sign * half * 0.7, 0.85), f, light.on(LAMP_RED) * 1.15)
        if side is not None:
            for f in (back + 0.9, back + 2.0):
                body.wheel(f, side, 0.48)

    def cab() -> None:
        profile = [(front, 0.5), (front, 1.3), (front - 0.25, cab_high - 0.1), (front - 0.5, cab_high)]
        profile += [(cab_back, cab_high), (cab_back, 0.5)]
        body.sheet(profile, [half * 0.97] * 6, cab_color, fade=0.12)
        if side is not None:
            body.side(profile, side * 0.97, cab_color, fade=0.3)
            s = side * 0.98
            body.glass([(front - 0.35, 2.2, s), (cab_back + 0.6, 2.2, s), (cab_back + 0.6, 1.5, s), (front - 0.12, 1.5, s)])
            body.side_patch((cab_back + 0.5, 0.6), (cab_back + 0.53, 2.3), s, light.on(cab_color * 0.5))
            body.wheel(front - 1.25, side, 0.48)
        if is_front:
            f, w = front + 0.01, half * 0.9
            top = front - 0.2
            body.glass([(top, cab_high - 0.25, -w), (top, cab_high - 0.25, w), (f, 1.4, w), (f, 1.4, -w)], 0.6)
            body.end_patch((-w * 0.75, 0.75), (w * 0.75, 1.28), f, light.on(DARK * 1.4))
            for u in (0.85, 0.99, 1.13):
                body.end_patch((-w * 0.7, u), (w * 0.7, u + 0.05), f, light.on(RIM))
            for sign in (-1, 1):
                body.end_patch((sign * w, 0.55), (sign * w * 0.7, 0.72), f, light.on(LAMP_WHITE) * 1.1)
                mirror = [(f, 1.6, sign * half), (f, 1.6, sign * (half + 0.22)), (f, 2.2, sign * (half + 0.22)), (f, 2.2, sign * half)]
                body.patch(mirror, light.on(DARK))

    chassis()
    for part in (load, cab) if is_front else (cab, load):
        part()
    return [Thing("truck", tuple(body.marks), pose.z)]


def tram(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a tram: long, in segments, a rounded face with one wide windscreen, a pantograph."""
    rng, light = stage.rng, stage.light
    segments, half, height, floor = int(rng.integers(2, 4)), 1.25, 3.3, 0.25
    length = 9.0 * segments
    front, back = length / 2, -length / 2
    color = TRAM_COLORS[rng.integers(len(TRAM_COLORS))] + rng.uniform(-8, 8, 3)
    second = TRAM_COLORS[rng.integers(len(TRAM_COLORS))]
    body = Body(stage, pose, [])
    roof = np.array([150.0, 152, 155])
    middle = back + length * 0.5
    for f0 in (middle - 0.9, middle + 0.9):
        points = body.world([(f0, height, 0), (middle, height + 0.75, 0), (2 * middle - f0, height + 1.2, 0)])
        body.marks += stage.blob(points[:2], [0.05, 0.05], DARK)
        body.marks += stage.blob(points[1:], [0.05, 0.05], DARK)
    bar = body.world([(middle, height + 1.2, -0.8), (middle, height + 1.2, 0.8)])
    body.marks += stage.blob(bar, [0.06, 0.06], DARK)
    body.marks += stage.box(pose, (back + 1, front - 1), (height, height + 0.3), (-half * 0.7, half * 0.7), roof)
    body.marks += stage.box(pose, (back + 0.5, front - 0.5), (0.0, 0.5), (-half + 0.15, half - 0.15), DARK)
    # the nose bows forward and narrows
    nose = [(front - 0.25, floor), (front, 0.9), (front - 0.15, 1.5), (front - 0.65, height - 0.35), (front - 1.1, height)]
    tail = [(-f, u) for f, u in nose[::-1]]
    profile, narrow = nose + tail, [half * 0.72, half * 0.76, half * 0.76, half * 0.72, half * 0.9]
    side = body.seen_side(half)
    cheek_marks = []
    for sign, spine in ((1, nose), (-1, tail[::-1])):
        centre = body.world([(sign * (front - 3), 1.6, 0)])[0]
        for right in (-half, half):
            for index in range(len(spine) - 1):
                (f0, u0), (f1, u1) = spine[index], spine[index + 1]
                w0, w1 = narrow[index] * np.sign(right), narrow[index + 1] * np.sign(right)
                back_f = sign * (front - 1.3)
                quad = body.world([(f0, u0, w0), (back_f, u0, right), (back_f, u1, right), (f1, u1, w1)])
                cheek_marks += stage.face(quad, centre, GLASS_EDGE if index == 2 else color)
    body.sheet(profile, narrow + narrow[::-1], color, fade=0.1)
    body.marks += cheek_marks
    if side is not None:
        panel = [(front - 1.3, floor), (front - 1.3, height), (back + 1.3, height), (back + 1.3, floor)]
        body.side(panel, side, color, fade=0.2)
        body.side_patch((back + 1.3, 0.5), (front - 1.3, 0.8), side, light.on(second))
        body.side_patch((back + 1.3, 1.2), (front - 1.3, 2.65), side, light.reflection(0.06))
        for segment in range(segments):
            start = back + segment * 9.0
            if segment:
                body.side_patch((start - 0.45, floor), (start + 0.45, height), side, light.on(DARK * 1.7))
                for f in (start - 0.3, start - 0.1, start + 0.1, start + 0.3):
                    body.side_patch((f - 0.03, floor), (f + 0.03, height), side, light.on(DARK * 0.8))
            for index in range(6):
                f0 = max(start + 0.6 + index * 1.3, back + 1.4)
                f1 = min(start + 0.6 + index * 1.3 + 1.12, front - 1.4)
                if f1 <= f0:
                    continue
                is_door = index in (1, 4)
                low = 0.4 if is_door else 1.3
                if light.is_dark:
                    lit = np.array([240.0, 222, 170]) * rng.uniform(0.75, 1.0)
                    body.side_patch((f0, low), (f1, 2.55), side, lit)
                else:
                    body.glass([(f0, 2.55, side), (f1, 2.55, side), (f1, low, side), (f0, low, side)], 0.45)
                if is_door:
                    f = (f0 + f1) / 2
                    body.side_patch((f - 0.04, low), (f + 0.04, 2.55), side, light.on(second * 0.6))
    for sign in (1, -1):
        if not body.faces_front(sign * front):
            continue
        f_low, f_high, w = sign * (front - 0.14), sign * (front - 0.64), half * 0.74
        body.glass([(f_high, 2.85, -w), (f_high, 2.85, w), (f_low, 1.45, w), (f_low, 1.45, -w)], 0.6)
        wiper = [(f_low, 1.5, 0.0), (f_low, 1.5, 0.05), (f_high, 2.3, 0.45), (f_high, 2.3, 0.4)]
        body.patch(wiper, light.on(DARK))
        f = sign * (front - 0.75)
        body.end_patch((-w * 0.7, 2.92), (w * 0.7, 3.18), f, light.on(DARK))
        for r in np.arange(-0.5, 0.5, 0.18):
            body.end_patch((r * half, 2.97), ((r + 0.12) * half, 3.13), f, np.array([255.0, 200, 60]))
        f = sign * (front + 0.01)
        body.end_patch((-w, 1.05), (w, 1.3), sign * (front - 0.08), light.on(second))
        for end in (-1, 1):
            lamp = LAMP_WHITE * 1.05 if sign * np.cos(pose.yaw) < 0 else LAMP_RED
            body.end_patch((end * w, 0.75), (end * w * 0.7, 0.95), f, np.clip(light.on(lamp) * 1.2, 0, 255))
        body.end_patch((-0.2, 0.35), (0.2, 0.6), f, light.on(DARK))
    return [Thing("train", tuple(body.marks), pose.z)]
