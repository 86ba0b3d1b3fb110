"""Buses and trams."""

from __future__ import annotations

import itertools

import numpy as np

from semseg.datasets.toycity.bodywork import DARK, LAMP_RED, LAMP_WHITE, Body
from semseg.datasets.toycity.scene import Thing
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.style import colors

GLASS_EDGE = np.array([38.0, 40, 44])
BUS_COLORS = colors("#ecce3c #c4282c #eeeeec #2860a0 #3c8c5a #e68228")
TRAM_COLORS = colors("#f0e1a0 #cd2830 #3c7850 #ebecee #ecbe28 #325a96")


def bus(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a city bus: tall, flat, a band of windows, doors, a lit destination."""
    rng, light = stage.rng, stage.light
    length, half, height, floor = rng.uniform(10.5, 12.0), 1.26, rng.uniform(3.0, 3.25), 0.32
    front, back = length / 2, -length / 2
    color = stage.pick_color(BUS_COLORS, 10)
    second = stage.pick_color(BUS_COLORS) if stage.chance(0.5) else color * 0.7
    body = Body(stage, pose)
    body.add_box((back + 0.3, front - 0.3), (0.0, 0.5), (-half + 0.1, half - 0.1), DARK)
    profile = [(front - 0.03, floor), (front, 1.0), (front - 0.1, height - 0.15), (front - 0.3, height)]
    profile += [(back + 0.15, height), (back, height - 0.2), (back, floor)]
    body.add_sheet(profile, [half] * len(profile), color, fade=0.14)
    side = body.visible_side(half)
    if side is not None:
        body.add_side(profile, side, color, fade=0.25, texture="plaster", grain=0.05)
        body.side_patch((back + 0.02, 0.72), (front - 0.02, 0.95), side, light.shade(second))
        body.side_patch((back + 0.25, 1.28), (front - 0.2, 2.5), side, light.reflection(0.04))
        posts = np.linspace(back + 0.35, front - 0.3, 8)
        for index, (rear_post, front_post) in enumerate(itertools.pairwise(posts)):
            f0, f1 = rear_post + 0.05, front_post - 0.05
            is_door = index in (1, 4, 6) and side > 0
            low = 0.4 if is_door else 1.34
            if light.is_dark:
                lit = np.array([235.0, 214, 160]) * rng.uniform(0.75, 1.0)
                body.side_patch((f0, low), (f1, 2.42), side, lit, lit * 0.8)
            else:
                body.side_patch((f0, 2.42), (f1, low), side, *light.pane(0.42))
            if is_door:
                body.side_patch(((f0 + f1) / 2 - 0.04, low), ((f0 + f1) / 2 + 0.04, 2.42), side, light.shade(DARK))
        for f in (front - 2.6, back + 3.0):
            body.add_wheel(f, side, 0.48)
    is_front = body.faces_front(front)
    if is_front or body.faces_front(back):
        f = front + 0.02 if is_front else back - 0.02
        pane_low, pane_high = (1.15, height - 0.55) if is_front else (1.6, height - 0.7)
        body.end_patch((-half * 0.94, pane_low - 0.05), (half * 0.94, height - 0.12), f, light.shade(DARK))
        body.end_patch((-half * 0.9, pane_high), (half * 0.9, pane_low), f, *light.pane(0.62))
        amber = np.array([255.0, 176, 40]) * (1 if is_front else 0.85)
        body.end_patch((-half * 0.62, height - 0.44), (half * 0.55, height - 0.2), f, light.shade(DARK) * 0.5)
        for r in np.arange(-0.6, 0.55, 0.2):
            body.end_patch((r * half, height - 0.4), ((r + 0.13) * half, height - 0.24), f, amber)
        body.end_patch((-half, 0.78), (half, 0.92), f, light.shade(second))
        lamp = LAMP_WHITE if is_front else LAMP_RED * 1.1
        for sign in (-1, 1):
            body.end_patch((sign * half * 0.92, 0.55), (sign * half * 0.62, 0.74), f, light.shade(lamp) * 1.1)
            if is_front:  # a mirror
                body.end_patch((sign * half, 1.7), (sign * (half + 0.25), 2.3), f, light.shade(DARK))
        if not is_front:
            body.end_patch((-half * 0.7, 0.95), (half * 0.7, 1.45), f, light.shade(color * 0.55))
            for u in np.arange(1.0, 1.42, 0.1):
                body.end_patch((-half * 0.66, u), (half * 0.66, u + 0.03), f, light.shade(DARK))
    return [Thing("bus", tuple(body.marks), pose.z)]


def tram(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a tram: long, in segments, a rounded face with one wide windscreen, a pantograph."""
    rng, light = stage.rng, stage.light
    segments, half, height, floor = int(rng.integers(2, 4)), 1.25, 3.3, 0.25
    length = 9.0 * segments
    front, back = length / 2, -length / 2
    color, second = stage.pick_color(TRAM_COLORS, 8), stage.pick_color(TRAM_COLORS)
    body = Body(stage, pose)
    roof = np.array([150.0, 152, 155])
    middle = back + length * 0.5
    for f0 in (middle - 0.9, middle + 0.9):
        points = pose.to_world([(f0, height, 0), (middle, height + 0.75, 0), (2 * middle - f0, height + 1.2, 0)])
        body.marks += stage.blob(points[:2], [0.05, 0.05], DARK)
        body.marks += stage.blob(points[1:], [0.05, 0.05], DARK)
    bar = pose.to_world([(middle, height + 1.2, -0.8), (middle, height + 1.2, 0.8)])
    body.marks += stage.blob(bar, [0.06, 0.06], DARK)
    body.add_box((back + 1, front - 1), (height, height + 0.3), (-half * 0.7, half * 0.7), roof)
    body.add_box((back + 0.5, front - 0.5), (0.0, 0.5), (-half + 0.15, half - 0.15), DARK)
    # the nose bows forward and narrows
    nose = [(front - 0.25, floor), (front, 0.9), (front - 0.15, 1.5)]
    nose += [(front - 0.65, height - 0.35), (front - 1.1, height)]
    tail = [(-f, u) for f, u in nose[::-1]]
    profile, narrow = nose + tail, [half * 0.72, half * 0.76, half * 0.76, half * 0.72, half * 0.9]
    side = body.visible_side(half)
    cheek_marks = []
    for sign, spine in ((1, nose), (-1, tail[::-1])):
        centre = pose.to_world([(sign * (front - 3), 1.6, 0)])[0]
        for right in (-half, half):
            for index in range(len(spine) - 1):
                (f0, u0), (f1, u1) = spine[index], spine[index + 1]
                w0, w1 = narrow[index] * np.sign(right), narrow[index + 1] * np.sign(right)
                back_f = sign * (front - 1.3)
                quad = pose.to_world([(f0, u0, w0), (back_f, u0, right), (back_f, u1, right), (f1, u1, w1)])
                cheek_marks += stage.face(quad, centre, GLASS_EDGE if index == 2 else color)
    body.add_sheet(profile, narrow + narrow[::-1], color, fade=0.1)
    body.marks += cheek_marks
    if side is not None:
        panel = [(front - 1.3, floor), (front - 1.3, height), (back + 1.3, height), (back + 1.3, floor)]
        body.add_side(panel, side, color, fade=0.2)
        body.side_patch((back + 1.3, 0.5), (front - 1.3, 0.8), side, light.shade(second))
        body.side_patch((back + 1.3, 1.2), (front - 1.3, 2.65), side, light.reflection(0.06))
        for segment in range(segments):
            start = back + segment * 9.0
            if segment:
                body.side_patch((start - 0.45, floor), (start + 0.45, height), side, light.shade(DARK * 1.7))
                for f in (start - 0.3, start - 0.1, start + 0.1, start + 0.3):
                    body.side_patch((f - 0.03, floor), (f + 0.03, height), side, light.shade(DARK * 0.8))
            for index in range(6):
                f0 = max(start + 0.6 + index * 1.3, back + 1.4)
                f1 = min(start + 0.6 + index * 1.3 + 1.12, front - 1.4)
                is_door = index in (1, 4)
                low = 0.4 if is_door else 1.3
                if light.is_dark:
                    lit = np.array([240.0, 222, 170]) * rng.uniform(0.75, 1.0)
                    body.side_patch((f0, low), (f1, 2.55), side, lit)
                else:
                    body.side_patch((f0, 2.55), (f1, low), side, *light.pane(0.45))
                if is_door:
                    f = (f0 + f1) / 2
                    body.side_patch((f - 0.04, low), (f + 0.04, 2.55), side, light.shade(second * 0.6))
    for sign in (1, -1):
        if not body.faces_front(sign * front):
            continue
        f_low, f_high, w = sign * (front - 0.14), sign * (front - 0.64), half * 0.74
        windscreen = [(f_high, 2.85, -w), (f_high, 2.85, w), (f_low, 1.45, w), (f_low, 1.45, -w)]
        body.patch(windscreen, *light.pane(0.6))
        wiper = [(f_low, 1.5, 0.0), (f_low, 1.5, 0.05), (f_high, 2.3, 0.45), (f_high, 2.3, 0.4)]
        body.patch(wiper, light.shade(DARK))
        f = sign * (front - 0.75)
        body.end_patch((-w * 0.7, 2.92), (w * 0.7, 3.18), f, light.shade(DARK))
        for r in np.arange(-0.5, 0.5, 0.18):
            body.end_patch((r * half, 2.97), ((r + 0.12) * half, 3.13), f, np.array([255.0, 200, 60]))
        f = sign * (front + 0.01)
        body.end_patch((-w, 1.05), (w, 1.3), sign * (front - 0.08), light.shade(second))
        for end in (-1, 1):
            lamp = LAMP_WHITE * 1.05 if sign * np.cos(pose.yaw) < 0 else LAMP_RED
            body.end_patch((end * w, 0.75), (end * w * 0.7, 0.95), f, np.clip(light.shade(lamp) * 1.2, 0, 255))
        body.end_patch((-0.2, 0.35), (0.2, 0.6), f, light.shade(DARK))
    return [Thing("train", tuple(body.marks), pose.z)]
