"""Pedestrians, bicycles and motorcycles with and without riders: limbs and tubes in metres."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Pose, Stage, circle
from semseg.datasets.toycity.style import colors

SKIN = colors("#ecc8ac #d6a884 #ac7a58 #704c36 #4e3428")
HAIR = colors("#281e18 #563a24 #a07846 #bebcb8 #181618 #8c4628")
CLOTHES = colors(
    "#1e222e #343c54 #8c8c8e #dcd8d0 #a6282c #2c6446 #c4963c #5e3c6e #3c78aa #5a4a3a #d46e3c #18181a #c8a0aa"
)
TYRE = np.array([26.0, 26, 28])
STEEL = np.array([150.0, 152, 156])


def _clothing_color(stage: Stage) -> np.ndarray:
    return stage.pick_color(CLOTHES, 12)


def _near_side(pose: Pose) -> float:
    """Return which side is nearer to the camera: 1 right, -1 left."""
    return -1.0 if pose.to_world([(0, 0, 1)])[0][2] > pose.z else 1.0


def _limb(
    stage: Stage, points: np.ndarray, radii: Sequence[tuple[float, float]], shades: Sequence[np.ndarray]
) -> list[Mark]:
    """Make the marks of a limb: one tapered segment per pair of radii, along the points."""
    marks: list[Mark] = []
    for index, (pair, color) in enumerate(zip(radii, shades, strict=True)):
        marks += stage.blob(points[index : index + 2], pair, color, rounded=True)
    return marks


def _head(stage: Stage, pose: Pose, centre: tuple[float, float, float], size: float, helmet: bool) -> list[Mark]:
    skin = stage.pick_color(SKIN)
    hair = _clothing_color(stage) if helmet else stage.pick_color(HAIR)
    forward, up, right = centre
    neck = pose.to_world([(forward - 0.02, up - 0.13 * size, right), (forward, up, right)])
    marks = stage.blob(neck, [0.05 * size, 0.05 * size], skin * 0.85)
    face = pose.to_world([(forward + 0.03, up - 0.04 * size, right), (forward + 0.01, up + 0.04 * size, right)])
    cap = pose.to_world([(forward - 0.04, up + 0.0, right), (forward - 0.02, up + 0.07 * size, right)])
    radius = 0.125 if helmet else 0.108
    face_marks = stage.blob(face, [0.085 * size, 0.095 * size], skin, rounded=True)
    cap_marks = stage.blob(cap, [radius * size, radius * size], hair)
    if np.cos(pose.yaw) > 0.3:  # seen from behind
        return marks + face_marks + cap_marks
    brow = pose.to_world([(forward - 0.03, up + 0.085 * size, right), (forward - 0.03, up + 0.09 * size, right)])
    return marks + cap_marks + face_marks + stage.blob(brow, [0.1 * size, 0.085 * size], hair)


def person(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a walking or standing person, sometimes with a bag or an umbrella."""
    rng = stage.rng
    height = rng.uniform(1.58, 1.88) if rng.random() < 0.88 else rng.uniform(1.05, 1.35)
    scale = height / 1.75
    swing = rng.uniform(-0.3, 0.3) if stage.chance(0.8) else rng.uniform(-0.05, 0.05)
    top, legs, shoe = _clothing_color(stage), _clothing_color(stage), _clothing_color(stage) * 0.4
    skin = stage.pick_color(SKIN)
    build = rng.uniform(0.92, 1.2)
    hip, shoulder = 0.92 * scale, 1.42 * scale
    is_skirt, is_coat = stage.chance(0.18), stage.chance(0.25)

    def leg(right: float, step: float) -> list[Mark]:
        knee = (0.5 * step + 0.04, 0.5 * scale, right)
        ankle = (step, 0.09 * scale + max(0.0, -step) * 0.25, right)
        points = pose.to_world([(0, hip, right * 0.8), knee, ankle, (ankle[0] + 0.13, ankle[1] - 0.03, right)])
        color = skin if is_skirt else legs
        radii = [(0.095 * scale * build, 0.07 * scale), (0.068 * scale, 0.05 * scale)]
        return _limb(stage, points, radii, [color, color * 0.97]) + stage.blob(
            points[2:], [0.05 * scale, 0.045 * scale], shoe
        )

    def arm(right: float, step: float) -> list[Mark]:
        elbow, hand = (step * 0.3, 1.15 * scale, right * 1.15), (step * 0.7 + 0.06, 0.92 * scale, right * 1.1)
        points = pose.to_world([(0, shoulder - 0.02, right), elbow, hand])
        radii = [(0.06 * scale, 0.052 * scale), (0.05 * scale, 0.04 * scale)]
        return _limb(stage, points, radii, [top * 0.93, top * 0.9]) + stage.blob(points[2:], [0.045 * scale], skin)

    near = _near_side(pose)
    far = -near
    torso_points = [(0, hip + 0.04, -0.1 * build), (0, hip + 0.04, 0.1 * build)]
    torso_points += [(0, shoulder - 0.03, -0.16 * build), (0, shoulder - 0.03, 0.16 * build)]
    marks = leg(far * 0.1, -swing) + arm(far * 0.23 * build, swing)
    marks += leg(near * 0.1, swing)
    if is_skirt or is_coat:
        low = 0.55 * scale if is_skirt else 0.62 * scale
        hem = pose.to_world([(0, hip, -0.09), (0, hip, 0.09), (0, low, -0.15), (0, low, 0.15)])
        marks += stage.blob(hem, [0.1 * scale] * 4, legs if is_skirt else top * 0.92, rounded=True)
    torso = pose.to_world(torso_points)
    marks += stage.blob(
        torso, [0.105 * scale * build] * 4, top, rounded=True, texture="cloud", grain=0.12, texel_m=0.004
    )
    if stage.chance(0.3):
        bag = pose.to_world([(-0.18, hip + 0.15, 0), (-0.16, shoulder - 0.12, 0)])
        marks += stage.blob(bag, [0.15 * scale, 0.13 * scale], _clothing_color(stage), rounded=True)
    elif stage.chance(0.3):
        bag = pose.to_world([(0.02, 0.66 * scale, near * 0.3), (0.02, 0.52 * scale, near * 0.3)])
        marks += stage.blob(bag, [0.08, 0.12], _clothing_color(stage), rounded=True)
    marks += arm(near * 0.23 * build, -swing)
    marks += _head(stage, pose, (0.02, 1.6 * scale, 0), scale, helmet=False)
    if stage.light.weather == "rain" and stage.chance(0.55):
        marks += _umbrella(stage, pose, scale)
    return [Thing("person", tuple(marks), pose.z)]


def _umbrella(stage: Stage, pose: Pose, scale: float) -> list[Mark]:
    stick = pose.to_world([(0.15, 1.1 * scale, 0.2), (0.1, 2.05 * scale, 0.1)])
    marks = stage.blob(stick, [0.015, 0.015], STEEL, min_px=0.5)
    lit = stage.light.shade(_clothing_color(stage))
    angles = np.linspace(0, np.pi, 9)
    reach, up = 0.55 * np.cos(angles), (1.8 + 0.3 * np.sin(angles)) * scale
    for turn in (0.0, np.pi / 2):
        rim = np.stack([0.1 + reach * np.cos(turn), up, 0.1 + reach * np.sin(turn)], axis=1)
        marks += stage.fill(pose.to_world(rim), lit * 1.1, lit * 0.7)
    return marks


def _wheel(stage: Stage, pose: Pose, forward: float, radius: float, tyre: float) -> list[Mark]:
    rim = np.insert(circle(14) * radius + (forward, radius + tyre), 2, 0, axis=1)
    return stage.ring(pose.to_world(rim), tyre, TYRE)


def _tube(stage: Stage, pose: Pose, points: list[tuple], radius: float, color: np.ndarray) -> list[Mark]:
    marks: list[Mark] = []
    for ends in itertools.pairwise(pose.to_world(points)):
        marks += stage.blob(np.array(ends), [radius, radius], color, min_px=0.45)
    return marks


def _bicycle(stage: Stage, pose: Pose) -> list[Mark]:
    color = _clothing_color(stage)
    saddle, bar, crank = (-0.2, 0.92, 0), (0.42, 1.0, 0), (-0.05, 0.32, 0)
    rear, front = (-0.5, 0.36, 0), (0.54, 0.36, 0)
    marks = _wheel(stage, pose, rear[0], 0.335, 0.024) + _wheel(stage, pose, front[0], 0.335, 0.024)
    head, seat_tube = (0.38, 0.82, 0), (-0.17, 0.78, 0)
    marks += _tube(stage, pose, [rear, seat_tube, head, crank, rear], 0.022, color)
    marks += _tube(stage, pose, [crank, saddle], 0.02, color) + _tube(stage, pose, [bar, front], 0.02, color)
    marks += _tube(stage, pose, [(0.4, 1.02, -0.28), (0.4, 1.02, 0.28)], 0.018, TYRE)
    marks += _tube(stage, pose, [(-0.32, 0.94, 0), (-0.1, 0.93, 0)], 0.045, TYRE)
    marks += _tube(stage, pose, [(-0.55, 0.72, 0), (-0.25, 0.72, 0)], 0.03, STEEL)
    marks += stage.blob(pose.to_world([(-0.62, 0.62, 0)]), [0.045], np.array([220.0, 20, 20]))
    return marks


def bicycle(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a parked bicycle."""
    return [Thing("bicycle", tuple(_bicycle(stage, pose)), pose.z)]


def cyclist(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a bicycle and its rider."""
    rider = _rider(stage, pose, hip=(-0.2, 1.0), lean=0.32, hand=(0.4, 1.05), foot=0.32, helmet=stage.chance(0.5))
    return [
        Thing("bicycle", tuple(_bicycle(stage, pose)), pose.z),
        Thing("rider", tuple(rider), pose.z - 0.01),
    ]


def _rider(stage: Stage, pose: Pose, *, hip: tuple, lean: float, hand: tuple, foot: float, helmet: bool) -> list[Mark]:
    top, legs, shoe = _clothing_color(stage), _clothing_color(stage), _clothing_color(stage) * 0.4
    shoulder = (hip[0] + lean, hip[1] + 0.5)
    phase = stage.between(0, 2 * np.pi)
    near = _near_side(pose)

    def leg(right: float, angle: float) -> list[Mark]:
        ankle = (0.0 + 0.16 * np.cos(angle), foot + 0.14 * np.sin(angle), right)
        knee = ((hip[0] + ankle[0]) / 2 + 0.24, (hip[1] + ankle[1]) / 2 + 0.1, right * 1.3)
        points = pose.to_world([(*hip, right), knee, ankle, (ankle[0] + 0.16, ankle[1] - 0.02, right)])
        radii = [(0.1, 0.075), (0.07, 0.052)]
        return _limb(stage, points, radii, [legs, legs * 0.95]) + stage.blob(points[2:], [0.05, 0.045], shoe)

    def arm(right: float) -> list[Mark]:
        elbow = ((shoulder[0] + hand[0]) / 2, (shoulder[1] + hand[1]) / 2 - 0.06, right * 1.25)
        points = pose.to_world([(shoulder[0], shoulder[1] - 0.03, right), elbow, (*hand, right)])
        return _limb(stage, points, [(0.062, 0.055), (0.05, 0.042)], [top * 0.93, top * 0.9])

    marks = leg(-near * 0.11, phase + np.pi) + arm(-near * 0.2)
    torso = [(hip[0], hip[1] + 0.03, -0.09), (hip[0], hip[1] + 0.03, 0.09)]
    torso += [(shoulder[0], shoulder[1] - 0.04, -0.15), (shoulder[0], shoulder[1] - 0.04, 0.15)]
    marks += stage.blob(pose.to_world(torso), [0.12, 0.12, 0.11, 0.11], top, rounded=True)
    if stage.chance(0.3):
        pack = pose.to_world([(hip[0] - 0.05, hip[1] + 0.2, 0), (shoulder[0] - 0.2, shoulder[1] - 0.08, 0)])
        marks += stage.blob(pack, [0.15, 0.14], _clothing_color(stage), rounded=True)
    marks += leg(near * 0.11, phase) + arm(near * 0.2)
    return marks + _head(stage, pose, (shoulder[0] + 0.08, shoulder[1] + 0.2, 0), 1.0, helmet)


def _motorcycle(stage: Stage, pose: Pose) -> list[Mark]:
    color = _clothing_color(stage) * 0.9 + 20
    rear, front = -0.66, 0.68
    marks = _wheel(stage, pose, rear, 0.25, 0.075) + _wheel(stage, pose, front, 0.25, 0.07)
    marks += _tube(stage, pose, [(rear, 0.32, 0.06), (0.0, 0.4, 0.06), (0.3, 0.62, 0)], 0.07, STEEL * 0.6)
    engine = pose.to_world([(-0.15, 0.42, -0.08), (0.2, 0.42, -0.08), (-0.1, 0.55, 0.08), (0.2, 0.6, 0.08)])
    marks += stage.blob(engine, [0.15] * 4, STEEL * 0.45, rounded=True)
    marks += _tube(stage, pose, [(-0.75, 0.34, 0.14), (-0.1, 0.3, 0.14)], 0.055, STEEL * 1.25)
    marks += _tube(stage, pose, [(front, 0.33, 0.0), (0.42, 0.98, 0.0)], 0.05, STEEL)
    tank = pose.to_world([(0.0, 0.78, -0.04), (0.32, 0.86, -0.04), (0.0, 0.78, 0.04), (0.32, 0.86, 0.04)])
    marks += stage.blob(tank, [0.13, 0.16, 0.13, 0.16], color, rounded=True)
    marks += _tube(stage, pose, [(-0.85, 0.86, 0), (-0.5, 0.8, 0)], 0.085, color)
    marks += _tube(stage, pose, [(-0.7, 0.86, 0), (-0.08, 0.82, 0)], 0.09, TYRE)
    marks += _tube(stage, pose, [(front - 0.25, 0.62, 0), (front + 0.2, 0.64, 0)], 0.07, color)
    marks += _tube(stage, pose, [(0.36, 1.02, -0.36), (0.42, 1.0, 0), (0.36, 1.02, 0.36)], 0.03, TYRE)
    fairing = pose.to_world([(0.48, 0.9, -0.06), (0.48, 0.9, 0.06), (0.44, 1.12, 0)])
    marks += stage.blob(fairing, [0.13, 0.13, 0.07], color, rounded=True)
    lamp = np.array([255.0, 250, 225]) if np.cos(pose.yaw) < 0 else np.array([220.0, 24, 24])
    lamp_centre = (0.62, 0.93, 0) if np.cos(pose.yaw) < 0 else (-0.95, 0.82, 0)
    return marks + stage.blob(pose.to_world([lamp_centre]), [0.09 if np.cos(pose.yaw) < 0 else 0.06], lamp)


def motorcycle(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a parked motorcycle."""
    return [Thing("motorcycle", tuple(_motorcycle(stage, pose)), pose.z)]


def motorcyclist(stage: Stage, pose: Pose) -> list[Thing]:
    """Build a motorcycle and its rider."""
    rider = _rider(stage, pose, hip=(-0.3, 0.95), lean=0.22, hand=(0.34, 1.02), foot=0.38, helmet=True)
    return [
        Thing("motorcycle", tuple(_motorcycle(stage, pose)), pose.z),
        Thing("rider", tuple(rider), pose.z - 0.01),
    ]
