"""People on foot, and on bicycles and motorcycles: limbs and tubes in metres."""

from __future__ import annotations

import numpy as np

from semseg.datasets.toycity.scene import Mark, Thing
from semseg.datasets.toycity.stage import Pose, Stage

SKIN = np.array([(236, 200, 172), (214, 168, 132), (172, 122, 88), (112, 76, 54), (78, 52, 40)], float)
HAIR = np.array([(40, 30, 24), (86, 58, 36), (160, 120, 70), (190, 188, 184), (24, 22, 24), (140, 70, 40)], float)
CLOTHES = np.array(
    [
        (30, 34, 46), (52, 60, 84), (140, 140, 142), (220, 216, 208), (166, 40, 44), (44, 100, 70),
        (196, 150, 60), (94, 60, 110), (60, 120, 170), (90, 74, 58), (212, 110, 60), (24, 24, 26),
        (200, 160, 170),
    ],
    float,
)  # fmt: skip
TYRE = np.array([26.0, 26, 28])
STEEL = np.array([150.0, 152, 156])


def _wear(stage: Stage) -> np.ndarray:
    return CLOTHES[stage.rng.integers(len(CLOTHES))] + stage.rng.uniform(-12, 12, 3)


def _head(stage: Stage, pose: Pose, at: tuple[float, float, float], size: float, helmet: bool) -> list[Mark]:
    rng = stage.rng
    skin = SKIN[rng.integers(len(SKIN))]
    hair = HAIR[rng.integers(len(HAIR))] if not helmet else _wear(stage)
    forward, up, right = at
    neck = pose.world([(forward - 0.02, up - 0.13 * size, right), (forward, up, right)])
    marks = stage.blob(neck, [0.05 * size, 0.05 * size], skin * 0.85)
    face = pose.world([(forward + 0.03, up - 0.04 * size, right), (forward + 0.01, up + 0.04 * size, right)])
    cap = pose.world([(forward - 0.04, up + 0.0, right), (forward - 0.02, up + 0.07 * size, right)])
    radius = 0.125 if helmet else 0.108
    face_marks = stage.blob(face, [0.085 * size, 0.095 * size], skin, rounded=True)
    cap_marks = stage.blob(cap, [radius * size, radius * size], hair)
    looks_away = np.cos(pose.yaw) > 0.3
    if looks_away:
        return marks + face_marks + cap_marks
    brow = pose.world([(forward - 0.03, up + 0.085 * size, right), (forward - 0.03, up + 0.09 * size, right)])
    return marks + cap_marks + face_marks + stage.blob(brow, [0.1 * size, 0.085 * size], hair)


def person(stage: Stage, pose: Pose, height: float | None = None) -> list[Thing]:
    """Build somebody who walks or stands, perhaps with a bag or an umbrella."""
    rng = stage.rng
    height = height or (rng.uniform(1.58, 1.88) if rng.random() < 0.88 else rng.uniform(1.05, 1.35))
    s = height / 1.75
    swing = rng.uniform(-0.3, 0.3) if stage.chance(0.8) else rng.uniform(-0.05, 0.05)
    top, legs, shoe = _wear(stage), _wear(stage), _wear(stage) * 0.4
    skin = SKIN[rng.integers(len(SKIN))]
    build = rng.uniform(0.92, 1.2)
    hip, shoulder = 0.92 * s, 1.42 * s
    is_skirt, is_coat = stage.chance(0.18), stage.chance(0.25)

    def leg(right: float, step: float) -> list[Mark]:
        knee = (0.5 * step + 0.04, 0.5 * s, right)
        ankle = (step, 0.09 * s + max(0.0, -step) * 0.25, right)
        points = pose.world([(0, hip, right * 0.8), knee, ankle, (ankle[0] + 0.13, ankle[1] - 0.03, right)])
        color = skin if is_skirt else legs
        return (
            stage.blob(points[:2], [0.095 * s * build, 0.07 * s], color, rounded=True)
            + stage.blob(points[1:3], [0.068 * s, 0.05 * s], color * 0.97, rounded=True)
            + stage.blob(points[2:], [0.05 * s, 0.045 * s], shoe)
        )

    def arm(right: float, step: float) -> list[Mark]:
        points = pose.world(
            [
                (0, shoulder - 0.02, right),
                (step * 0.3, 1.15 * s, right * 1.15),
                (step * 0.7 + 0.06, 0.92 * s, right * 1.1),
            ]
        )
        return (
            stage.blob(points[:2], [0.06 * s, 0.052 * s], top * 0.93, rounded=True)
            + stage.blob(points[1:], [0.05 * s, 0.04 * s], top * 0.9, rounded=True)
            + stage.blob(points[2:], [0.045 * s], skin)
        )

    near = -1.0 if pose.world([(0, 0, 1)])[0][2] > pose.z else 1.0
    far = -near
    torso_points = [(0, hip + 0.04, -0.1 * build), (0, hip + 0.04, 0.1 * build)]
    torso_points += [(0, shoulder - 0.03, -0.16 * build), (0, shoulder - 0.03, 0.16 * build)]
    marks = leg(far * 0.1, -swing) + arm(far * 0.23 * build, swing)
    marks += leg(near * 0.1, swing)
    if is_skirt or is_coat:
        low = 0.55 * s if is_skirt else 0.62 * s
        hem = pose.world([(0, hip, -0.09), (0, hip, 0.09), (0, low, -0.15), (0, low, 0.15)])
        marks += stage.blob(hem, [0.1 * s] * 4, legs if is_skirt else top * 0.92, rounded=True)
    marks += stage.blob(
        pose.world(torso_points),
        [0.105 * s * build] * 4,
        top,
        rounded=True,
        texture="cloud",
        grain=0.12,
        texel_m=0.004,
    )
    if stage.chance(0.3):
        bag = pose.world([(-0.18, hip + 0.15, 0), (-0.16, shoulder - 0.12, 0)])
        marks += stage.blob(bag, [0.15 * s, 0.13 * s], _wear(stage), rounded=True)
    elif stage.chance(0.3):
        bag = pose.world([(0.02, 0.66 * s, near * 0.3), (0.02, 0.52 * s, near * 0.3)])
        marks += stage.blob(bag, [0.08, 0.12], _wear(stage), rounded=True)
    marks += arm(near * 0.23 * build, -swing)
    marks += _head(stage, pose, (0.02, 1.6 * s, 0), s, helmet=False)
    if stage.light.weather == "rain" and stage.chance(0.55):
        marks += _umbrella(stage, pose, s)
    return [Thing("person", tuple(marks), pose.z)]


def _umbrella(stage: Stage, pose: Pose, s: float) -> list[Mark]:
    stick = pose.world([(0.15, 1.1 * s, 0.2), (0.1, 2.05 * s, 0.1)])
    marks = stage.blob(stick, [0.015, 0.015], STEEL, min_px=0.5)
    color = _wear(stage)
    angles = np.linspace(0, np.pi, 9)
    for turn in (0.0, np.pi / 2):
        rim = [
            (
                0.1 + 0.55 * np.cos(a) * np.cos(turn),
                (1.8 + 0.3 * np.sin(a)) * s,
                0.1 + 0.55 * np.cos(a) * np.sin(turn),
            )
            for a in angles
        ]
        marks += stage.fill(pose.world(rim), stage.light.on(color) * 1.1, stage.light.on(color) * 0.7)
    return marks


def _wheel(stage: Stage, pose: Pose, forward: float, radius: float, tyre: float) -> list[Mark]:
    angles = np.linspace(0, 2 * np.pi, 15)[:-1]
    rim = pose.world([(forward + radius * np.cos(a), radius + tyre + radius * np.sin(a), 0) for a in angles])
    return stage.ring(rim, tyre, TYRE)


def _tube(stage: Stage, pose: Pose, points: list[tuple], radius: float, color: np.ndarray) -> list[Mark]:
    world = pose.world(points)
    marks: list[Mark] = []
    for index in range(len(world) - 1):
        marks += stage.blob(world[index : index + 2], [radius, radius], color, min_px=0.45)
    return marks


def _bicycle(stage: Stage, pose: Pose) -> list[Mark]:
    color = _wear(stage)
    saddle, bar, crank = (-0.2, 0.92, 0), (0.42, 1.0, 0), (-0.05, 0.32, 0)
    rear, front = (-0.5, 0.36, 0), (0.54, 0.36, 0)
    marks = _wheel(stage, pose, rear[0], 0.335, 0.024) + _wheel(stage, pose, front[0], 0.335, 0.024)
    head, seat_tube = (0.38, 0.82, 0), (-0.17, 0.78, 0)
    marks += _tube(stage, pose, [rear, seat_tube, head, crank, rear], 0.022, color)
    marks += _tube(stage, pose, [crank, saddle], 0.02, color) + _tube(stage, pose, [bar, front], 0.02, color)
    marks += _tube(stage, pose, [(0.4, 1.02, -0.28), (0.4, 1.02, 0.28)], 0.018, TYRE)
    marks += _tube(stage, pose, [(-0.32, 0.94, 0), (-0.1, 0.93, 0)], 0.045, TYRE)
    marks += _tube(stage, pose, [(-0.55, 0.72, 0), (-0.25, 0.72, 0)], 0.03, STEEL)
    marks += stage.blob(pose.world([(-0.62, 0.62, 0)]), [0.045], np.array([220.0, 20, 20]))
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
    top, legs, shoe = _wear(stage), _wear(stage), _wear(stage) * 0.4
    shoulder = (hip[0] + lean, hip[1] + 0.5)
    phase = stage.between(0, 2 * np.pi)
    near = -1.0 if pose.world([(0, 0, 1)])[0][2] > pose.z else 1.0

    def leg(right: float, angle: float) -> list[Mark]:
        ankle = (0.0 + 0.16 * np.cos(angle), foot + 0.14 * np.sin(angle), right)
        knee = ((hip[0] + ankle[0]) / 2 + 0.24, (hip[1] + ankle[1]) / 2 + 0.1, right * 1.3)
        points = pose.world([(*hip, right), knee, ankle, (ankle[0] + 0.16, ankle[1] - 0.02, right)])
        return (
            stage.blob(points[:2], [0.1, 0.075], legs, rounded=True)
            + stage.blob(points[1:3], [0.07, 0.052], legs * 0.95, rounded=True)
            + stage.blob(points[2:], [0.05, 0.045], shoe)
        )

    def arm(right: float) -> list[Mark]:
        elbow = ((shoulder[0] + hand[0]) / 2, (shoulder[1] + hand[1]) / 2 - 0.06, right * 1.25)
        points = pose.world([(shoulder[0], shoulder[1] - 0.03, right), elbow, (*hand, right)])
        return stage.blob(points[:2], [0.062, 0.055], top * 0.93, rounded=True) + stage.blob(
            points[1:], [0.05, 0.042], top * 0.9, rounded=True
        )

    marks = leg(-near * 0.11, phase + np.pi) + arm(-near * 0.2)
    torso = [(hip[0], hip[1] + 0.03, -0.09), (hip[0], hip[1] + 0.03, 0.09)]
    torso += [(shoulder[0], shoulder[1] - 0.04, -0.15), (shoulder[0], shoulder[1] - 0.04, 0.15)]
    marks += stage.blob(pose.world(torso), [0.12, 0.12, 0.11, 0.11], top, rounded=True)
    if stage.chance(0.3):
        pack = pose.world([(hip[0] - 0.05, hip[1] + 0.2, 0), (shoulder[0] - 0.2, shoulder[1] - 0.08, 0)])
        marks += stage.blob(pack, [0.15, 0.14], _wear(stage), rounded=True)
    marks += leg(near * 0.11, phase) + arm(near * 0.2)
    return marks + _head(stage, pose, (shoulder[0] + 0.08, shoulder[1] + 0.2, 0), 1.0, helmet)


def _motorcycle(stage: Stage, pose: Pose) -> list[Mark]:
    color = _wear(stage) * 0.9 + 20
    rear, front = -0.66, 0.68
    marks = _wheel(stage, pose, rear, 0.25, 0.075) + _wheel(stage, pose, front, 0.25, 0.07)
    marks += _tube(stage, pose, [(rear, 0.32, 0.06), (0.0, 0.4, 0.06), (0.3, 0.62, 0)], 0.07, STEEL * 0.6)
    engine = pose.world([(-0.15, 0.42, -0.08), (0.2, 0.42, -0.08), (-0.1, 0.55, 0.08), (0.2, 0.6, 0.08)])
    marks += stage.blob(engine, [0.15] * 4, STEEL * 0.45, rounded=True)
    marks += _tube(stage, pose, [(-0.75, 0.34, 0.14), (-0.1, 0.3, 0.14)], 0.055, STEEL * 1.25)
    marks += _tube(stage, pose, [(front, 0.33, 0.0), (0.42, 0.98, 0.0)], 0.05, STEEL)
    tank = pose.world([(0.0, 0.78, -0.04), (0.32, 0.86, -0.04), (0.0, 0.78, 0.04), (0.32, 0.86, 0.04)])
    marks += stage.blob(tank, [0.13, 0.16, 0.13, 0.16], color, rounded=True)
    marks += _tube(stage, pose, [(-0.85, 0.86, 0), (-0.5, 0.8, 0)], 0.085, color)
    marks += _tube(stage, pose, [(-0.7, 0.86, 0), (-0.08, 0.82, 0)], 0.09, TYRE)
    marks += _tube(stage, pose, [(front - 0.25, 0.62, 0), (front + 0.2, 0.64, 0)], 0.07, color)
    marks += _tube(stage, pose, [(0.36, 1.02, -0.36), (0.42, 1.0, 0), (0.36, 1.02, 0.36)], 0.03, TYRE)
    fairing = pose.world([(0.48, 0.9, -0.06), (0.48, 0.9, 0.06), (0.44, 1.12, 0)])
    marks += stage.blob(fairing, [0.13, 0.13, 0.07], color, rounded=True)
    lamp = np.array([255.0, 250, 225]) if np.cos(pose.yaw) < 0 else np.array([220.0, 24, 24])
    at = (0.62, 0.93, 0) if np.cos(pose.yaw) < 0 else (-0.95, 0.82, 0)
    return marks + stage.blob(pose.world([at]), [0.09 if np.cos(pose.yaw) < 0 else 0.06], lamp)


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
