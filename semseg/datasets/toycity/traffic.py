"""Traffic: cars, trucks, buses, trams, cyclists, motorcyclists and pedestrians."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from semseg.datasets.toycity import people, transit, vehicles
from semseg.datasets.toycity.scene import Thing
from semseg.datasets.toycity.site import SIDES, Site
from semseg.datasets.toycity.stage import Pose, Stage
from semseg.datasets.toycity.street import TRACK_WIDTH_M

Build = Callable[[Stage, Pose], list[Thing]]


def add_vehicles(site: Site, include: dict[str, bool]) -> None:
    """Add vehicles that drive, stand or park, where there is room."""
    stage, street, rng = site.stage, site.street, site.stage.rng
    ahead, parked = 0.0, street.right_kerb - 1.1
    left_edge = street.left_kerb + (TRACK_WIDTH_M if street.track_is_own else 0)
    opposite = (street.middle + left_edge + street.parking) / 2

    def add(build: Build, x: float, z: float, yaw: float, length: float, width: float, height: float) -> bool:
        """Add a vehicle; return False if there is no room."""
        turn = yaw + stage.between(-0.03, 0.03)
        sideways = abs(np.sin(turn)) > 0.7
        half_x, half_z = (length / 2, width / 2) if sideways else (width / 2, length / 2)
        if z - half_z < 4.5 or not site.reserve(x, z, half_x + 0.25, half_z + 0.7):
            return False
        pose = Pose(x, z, turn)
        site.add_at(build(stage, pose), x, z, half_x, half_z)
        site.shadows.extend(stage.shadows(pose, length * 0.98, width * 0.98, height))
        return True

    if include["train"] and street.track is not None:
        z = stage.between(20, 42)
        add(transit.tram, street.track, z, float(rng.choice([0.0, np.pi])), 22.0, 2.5, 3.3)
    big = [name for name in ("bus", "truck") if include[name]]
    rng.shuffle(big)
    places = [
        (ahead, 0.0, (15, 30)),
        (opposite, np.pi, (13, 32)),
        (parked, 0.0, (17, 34)),
        (opposite, np.pi, (24, 48)),
    ]
    order = [*rng.permutation(3), 3, 0, 2]
    for name in big:
        build, length = (transit.bus, 11.5) if name == "bus" else (vehicles.truck, 8.5)
        for place in order:
            x, yaw, reach = places[place]
            if place == 2 and not street.parking:
                x = parked - 0.6
            if add(build, x, stage.between(*reach), yaw, length, 2.5, 3.1):
                break
    if street.crossing and stage.chance(0.5):  # a vehicle in the crossing street
        middle = (street.crossing[0] + street.crossing[1]) / 2
        kinds = [(vehicles.car, 4.3), (transit.bus, 11.5), (vehicles.truck, 8.5)]
        build, length = kinds[rng.choice(3, p=[0.6, 0.2, 0.2])]
        add(build, stage.between(-8, 8), middle, float(rng.choice([1, -1]) * np.pi / 2), length, 2.0, 1.8)
    for _ in range(int(rng.integers(1, 4))):
        add(vehicles.car, ahead + stage.between(-0.3, 0.3), stage.between(9, 40), 0.0, 4.3, 1.8, 1.5)
    for _ in range(int(rng.integers(1, 5))):
        add(vehicles.car, opposite + stage.between(-0.3, 0.3), stage.between(8, 45), np.pi, 4.3, 1.8, 1.5)
    if street.parking:
        for x, yaw, share in ((parked, 0.0, 0.55), (left_edge + 1.1, np.pi, 0.55)):
            z = stage.between(7, 12)
            while z < 36:
                if stage.chance(share) and not site.is_crossing(z - 8, z + 6):
                    add(vehicles.car, x, z, yaw, 4.3, 1.8, 1.5)
                z += stage.between(5.3, 7)
    if include["group"]:  # distant cars, annotated as one group
        x, start, marks = float(rng.choice([parked, left_edge + 1.1])), stage.between(60, 75), []
        for index in range(4, -1, -1):
            for thing in vehicles.car(stage, Pose(x, start + index * 5.2)):
                marks += thing.marks if thing.label == "car" else ()
        if marks:
            site.add([Thing("cargroup", tuple(marks), start + 10)], x - 0.9, x + 0.9, start - 2, start + 24)


def add_people(site: Site, include: dict[str, bool]) -> None:
    """Add riders, parked bicycles and motorcycles, and pedestrians, where there is room."""
    stage, street, rng = site.stage, site.street, site.stage.rng

    def add(build: Build, x: float, z: float, yaw: float, half: float, length: float, height: float) -> bool:
        """Add a person or a two-wheeler; return False if there is no room."""
        if not site.reserve(x, z, half, half):
            return False
        pose = Pose(x, z, yaw)
        site.add_at(build(stage, pose), x, z, half, half)
        site.shadows.extend(stage.shadows(pose, length, 0.45, height))
        return True

    lane = street.right_kerb - street.parking - 0.8
    yaws = [0.0, np.pi, 0.3, -0.3, np.pi + 0.4, np.pi / 2, -np.pi / 2]
    for name, build in (("cyclist", people.cyclist), ("motorcyclist", people.motorcyclist)):
        if not include[name]:
            continue
        for _ in range(1 if stage.chance(0.6) else 2):
            yaw = float(rng.choice(yaws))
            for _ in range(8):  # tries to find room
                z = stage.between(7.5, 19)
                x = lane if np.cos(yaw) > 0 else street.middle - stage.between(0.8, 2.5)
                x = x if stage.chance(0.6) else stage.between(street.left_kerb + 0.8, street.right_kerb - 0.8)
                if add(build, x, z, yaw + stage.between(-0.25, 0.25), 0.55, 1.6, 1.6):
                    break
    for name, build in (("parked bicycle", people.bicycle), ("parked motorcycle", people.motorcycle)):
        if not include[name]:
            continue
        side = int(rng.choice(SIDES))
        start, turn = stage.between(9, 17), float(rng.choice([np.pi / 2, -np.pi / 2, 0.8, -0.6]))
        for index in range(int(rng.integers(1, 4))):
            x = street.kerb(side) + side * (1.1 if name == "parked bicycle" else stage.between(-0.5, 1.0))
            add(build, x, start + index * 1.15, turn + stage.between(-0.15, 0.15), 0.5, 1.6, 0.9)
    for _ in range(int(rng.integers(3, 7))):
        side = int(rng.choice(SIDES))
        inner, outer = street.walk(side)
        low, high = sorted((inner + side * 0.4, outer - side * 0.5))
        x, z = stage.between(low, high), stage.between(9, 28)
        yaw = float(rng.choice([0.0, np.pi])) + stage.between(-0.5, 0.5)
        if add(people.person, x, z, yaw, 0.3, 0.4, 1.6) and stage.chance(0.3):
            add(people.person, x + 0.62, z + 0.1, yaw, 0.3, 0.4, 1.6)
    if street.zebra:
        for _ in range(int(rng.integers(0, 4))):
            x, z = stage.between(street.left_kerb, street.right_kerb), street.zebra + stage.between(-1.2, 1.2)
            add(people.person, x, z, float(rng.choice([-1, 1])) * np.pi / 2, 0.35, 0.4, 1.6)
