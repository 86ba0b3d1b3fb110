"""Cars and trucks."""

from __future__ import annotations

import itertools

import numpy as np

from semseg.datasets.toycity.bodywork import DARK, LAMP_RED, LAMP_WHITE, RIM, Body, inset
from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.style import colors

CAR_COLORS = colors(
    "#e4e4e2 #18191c #787b80 #acafb4 #96181e #1c3470 #404650 #d4cdbe #24523e #c4581e #4678aa #604230 #d6b02e"
)
TRUCK_COLORS = colors("#ebecee #be2828 #285096 #e6a028 #507850 #96989e")

CAR_SHAPES = {
    # length, width, height, waist, bonnet length and height, foot and top of windscreen, rear top and foot
    "hatch": (3.9, 1.72, 1.48, 0.92, 0.85, (0.95, 0.25), (-1.45, -1.88)),
    "sedan": (4.55, 1.8, 1.45, 0.9, 0.84, (0.95, 0.2), (-0.95, -1.55)),
    "suv": (4.5, 1.85, 1.7, 1.02, 0.98, (1.0, 0.45), (-1.8, -2.15)),
    "van": (4.8, 1.9, 1.98, 1.1, 1.05, (1.6, 0.95), (-2.2, -2.36)),
}


def car(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a car and its license plate."""
    light = stage.light
    shape = str(stage.rng.choice(list(CAR_SHAPES), p=[0.34, 0.3, 0.24, 0.12]))
    color = stage.pick_color(CAR_COLORS, 8)
    length, width, height, waist, bonnet, (ws_foot, ws_top), (rear_top, rear_foot) = CAR_SHAPES[shape]
    half, front, back, floor = width / 2, length / 2, -length / 2, 0.26
    is_far = stage.px_per_m(pose.z) * height < 14
    body = Body(stage, pose)
    body.add_box((back + 0.2, front - 0.2), (0.0, 0.5), (-half + 0.08, half - 0.08), DARK)
    deck = waist + 0.04 if shape == "sedan" else waist
    lower = [(front - 0.06, floor), (front, 0.55), (front - 0.12, bonnet - 0.1), (ws_foot, waist)]
    lower += [(rear_foot, deck), (back + 0.05, deck - 0.04), (back, 0.5), (back + 0.08, floor)]
    widths = [half * 0.94, half, half * 0.94, half * 0.97, half * 0.97, half * 0.94, half, half * 0.94]
    lower_bands = body.add_sheet(lower, widths, color, fade=0.12)
    side = body.visible_side(half)
    if side is not None:
        body.add_side(lower, side, color, fade=0.38)
    cabin = [(ws_foot, waist), (ws_top, height - 0.03), (rear_top, height), (rear_foot, deck)]
    top = half * 0.76
    cabin_bands = body.add_sheet(cabin, [half * 0.93, top, top, half * 0.93], color)
    for index, order in ((0, [0, 1, 2, 3]), (2, [2, 3, 0, 1])):  # windscreen, rear window
        if index in cabin_bands:
            quad = cabin_bands[index][order]
            pane = inset(quad, 0.06, 0.94, 0.06, 0.9)
            body.marks += stage.fill(pane[::-1], light.reflection(0.45), light.reflection(0.08))
            if not is_far and index == 0:
                for u in (0.3, 0.7):  # head rests behind the windscreen
                    rest = inset(quad, u - 0.07, u + 0.07, 0.15, 0.55)
                    body.marks += stage.fill(rest, light.reflection(0.02))
    if side is not None:
        sign = np.sign(side)
        frame = [(f, u, sign * (half * 0.95 if u < waist + 0.1 else top)) for f, u in cabin]
        corners = pose.to_world(frame)
        normal = stage.visible_normal(corners, pose.to_world([(0, waist + 0.1, 0)])[0])
        if normal is not None:
            body.marks += stage.fill(corners, light.shade(color, normal))
            _side_windows(body, cabin, sign, half, top, shape)
        for forward in (front - 0.78, back + 0.74):
            body.add_wheel(forward, side, 0.33 if shape != "suv" else 0.37)
        if not is_far:
            dark = light.shade(color * 0.45)
            for f in (ws_foot - 0.05, (ws_foot + rear_foot) / 2, rear_foot + 0.35):
                body.side_patch((f - 0.012, floor + 0.15), (f + 0.012, waist), side, dark)
            body.side_patch((front - 0.25, 0.62), (front - 0.02, 0.76), side, light.shade(LAMP_WHITE) * 0.9)
            body.side_patch((back + 0.02, 0.68), (back + 0.2, 0.84), side, light.shade(LAMP_RED))
    plate = _car_end(body, front, back, half, bonnet, waist, is_far) if lower_bands else None
    things = [Thing("car", tuple(body.marks), pose.z)]
    if plate:
        things.append(Thing("license plate", tuple(plate), pose.z))
    return things


def _side_windows(body: Body, cabin: list, sign: float, half: float, top: float, shape: str) -> None:
    (f0, waist), (f1, high), (f2, _), (f3, _) = cabin

    def corner(forward: float, share: float) -> tuple[float, float, float]:
        return forward, waist + (high - waist) * share, sign * (half * 0.95 * (1 - share) + top * share)

    low, up = 0.1, 0.86
    posts = np.linspace(f0 - 0.18, f3 + 0.18, 3 if shape in ("sedan", "hatch") else 4)
    for front, back in itertools.pairwise(posts):
        front, back = front - 0.04, back + 0.04
        top_front = min(front, f1 - 0.05 + (f0 - f1) * (1 - up))
        top_back = max(back, f2 + 0.05 + (f3 - f2) * (1 - up))
        corners = [corner(front, low), corner(back, low), corner(top_back, up), corner(top_front, up)]
        body.patch(corners, *body.stage.light.pane(0.45))


def _car_end(
    body: Body, front: float, back: float, half: float, bonnet: float, waist: float, is_far: bool
) -> list[Mark] | None:
    """Add lamps, grille and bumper of the visible end; return the marks of the license plate."""
    light, stage = body.stage.light, body.stage
    is_front = body.faces_front(front)
    if not is_front and not body.faces_front(back):
        return None
    f = front + 0.01 if is_front else back - 0.01
    high = bonnet - 0.12 if is_front else waist - 0.06
    lamp = light.shade(LAMP_WHITE) if is_front else light.shade(LAMP_RED)
    if light.is_dark:
        lamp = LAMP_WHITE * 1.02 if is_front else np.array([255.0, 50, 40])
    elif not is_front and stage.chance(0.4):
        lamp = np.array([250.0, 40, 34])  # braking
    for sign in (-1, 1):
        low, up = (sign * half * 0.92, high - 0.17), (sign * half * 0.58, high)
        body.end_patch(low, up, f, light.shade(DARK * 1.6))
        body.end_patch((low[0] * 0.98, low[1] + 0.02), (up[0] * 1.04, up[1] - 0.02), f, lamp)
    if is_far:
        return None
    if is_front:
        body.end_patch((-half * 0.5, high - 0.16), (half * 0.5, high - 0.02), f, light.shade(DARK * 1.2))
        body.end_patch((-half * 0.5, high - 0.1), (half * 0.5, high - 0.08), f, light.shade(RIM))
    body.end_patch((-half * 0.85, 0.27), (half * 0.85, 0.4), f, light.shade(DARK * 1.5))
    plate_u = 0.42 if is_front else 0.56
    corners = [(f, plate_u, -0.26), (f, plate_u, 0.26), (f, plate_u + 0.13, 0.26), (f, plate_u + 0.13, -0.26)]
    return stage.fill(body.pose.to_world(corners), light.shade(np.array([232.0, 232, 224])))


def truck(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a truck: a cab, a gap, and a box, a tarpaulin or a tipper behind it."""
    rng, light = stage.rng, stage.light
    kind = str(rng.choice(["box", "tarpaulin", "tipper"], p=[0.4, 0.4, 0.2]))
    length, half = rng.uniform(7.0, 9.0), 1.22
    front, back = length / 2, -length / 2
    cab_back = front - rng.uniform(1.9, 2.3)
    cab_high, load_high = rng.uniform(2.5, 2.9), rng.uniform(3.1, 3.6) if kind != "tipper" else 2.1
    cab_color, load_color = stage.pick_color(TRUCK_COLORS, 10), stage.pick_color(TRUCK_COLORS, 10)
    body = Body(stage, pose)
    is_front = body.faces_front(front)
    side = body.visible_side(half)

    def add_load() -> None:
        texture, extent = "plaster" if kind != "tipper" else "grain", (back, cab_back - 0.25)
        body.add_box(extent, (0.95, load_high), (-half, half), load_color, fade=0.18, texture=texture, grain=0.1)
        dark = light.shade(load_color * 0.72)
        if side is not None:
            if kind == "tarpaulin":
                for f in np.linspace(back + 0.2, cab_back - 0.5, 7):
                    body.side_patch((f, 1.0), (f + 0.07, load_high - 0.1), side, dark)
                body.side_patch((back, 0.95), (cab_back - 0.25, 1.2), side, light.shade(RIM))
            elif kind == "tipper":
                for f in np.linspace(back + 0.1, cab_back - 0.5, 6):
                    body.side_patch((f, 1.0), (f + 0.16, load_high), side, dark)
            else:
                second = light.shade(stage.pick_color(CAR_COLORS))
                body.side_patch((back + 0.8, 1.7), (cab_back - 1.0, 2.5), side, second)
            body.side_patch((back + 1.8, 0.45), (cab_back - 0.6, 0.9), side, light.shade(RIM * 0.8))
        if not is_front and body.faces_front(back):
            f = back - 0.01
            for r in (-half, -0.03, half - 0.07):
                body.end_patch((r, 0.95), (r + 0.07, load_high), f, dark)
            body.end_patch((-half, load_high - 0.1), (half, load_high), f, dark)
            for r in (-0.45, 0.4):
                body.end_patch((r, 1.0), (r + 0.04, load_high - 0.1), f, light.shade(RIM))
            body.end_patch((-half, 0.5), (half, 0.62), f, light.shade(np.array([210.0, 60, 40])))
            for sign in (-1, 1):
                body.end_patch((sign * half, 0.66), (sign * half * 0.7, 0.85), f, light.shade(LAMP_RED) * 1.15)
        if side is not None:
            for f in (back + 0.9, back + 2.0):
                body.add_wheel(f, side, 0.48)

    def add_cab() -> None:
        profile = [(front, 0.5), (front, 1.3), (front - 0.25, cab_high - 0.1), (front - 0.5, cab_high)]
        profile += [(cab_back, cab_high), (cab_back, 0.5)]
        body.add_sheet(profile, [half * 0.97] * 6, cab_color, fade=0.12)
        if side is not None:
            body.add_side(profile, side * 0.97, cab_color, fade=0.3)
            s = side * 0.98
            window = [(front - 0.35, 2.2), (cab_back + 0.6, 2.2), (cab_back + 0.6, 1.5), (front - 0.12, 1.5)]
            body.patch([(f, u, s) for f, u in window], *light.pane())
            body.side_patch((cab_back + 0.5, 0.6), (cab_back + 0.53, 2.3), s, light.shade(cab_color * 0.5))
            body.add_wheel(front - 1.25, side, 0.48)
        if is_front:
            f, w = front + 0.01, half * 0.9
            top = front - 0.2
            windscreen = [(top, cab_high - 0.25, -w), (top, cab_high - 0.25, w), (f, 1.4, w), (f, 1.4, -w)]
            body.patch(windscreen, *light.pane(0.6))
            body.end_patch((-w * 0.75, 0.75), (w * 0.75, 1.28), f, light.shade(DARK * 1.4))
            for u in (0.85, 0.99, 1.13):
                body.end_patch((-w * 0.7, u), (w * 0.7, u + 0.05), f, light.shade(RIM))
            for sign in (-1, 1):
                body.end_patch((sign * w, 0.55), (sign * w * 0.7, 0.72), f, light.shade(LAMP_WHITE) * 1.1)
                body.end_patch((sign * half, 1.6), (sign * (half + 0.22), 2.2), f, light.shade(DARK))  # a mirror

    body.add_box((back + 0.1, front - 0.3), (0.35, 0.95), (-half + 0.25, half - 0.25), DARK * 1.3)
    for axle in ((back + 0.4, back + 1.6), (front - 1.7, front - 0.8)):
        body.add_box(axle, (0, 0.9), (-half + 0.1, half - 0.1), DARK * 0.7)
    for add_part in (add_load, add_cab) if is_front else (add_cab, add_load):
        add_part()
    return [Thing("truck", tuple(body.marks), pose.z)]
