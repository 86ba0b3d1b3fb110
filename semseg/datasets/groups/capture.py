"""Groups of pictures by when and where they were taken.

Two pictures are linked if the same camera took them within 60 seconds, or if they were taken within 25 metres; linked
pictures form a chain, which is a group. In a minute a walker comes 100 m far and a car in a city less than 1 km: the
street, the weather and the light stay the same. 25 m is twice the error of a phone's position in a street, and less
than the width of a crossing: both pictures show the same scene. Pictures that are close in time but more than 1 km
apart are not linked, whatever the clock says.

The time is that of EXIF (DateTimeOriginal; not DateTime, which editors set), else date and time in the file name. It is
the local time of the camera, so it is compared for pictures of one camera only (make, model and serial number of EXIF).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any, NamedTuple

MAX_GAP_S = 60
MAX_DISTANCE_M = 25
_FAR_M = 1000
_METRES_PER_DEGREE = 111_320  # of latitude, mean of the Earth
_CELL_M = MAX_DISTANCE_M / math.sqrt(2)  # two places in one cell are within the distance
_EXIF, _GPS = 0x8769, 0x8825  # tags of the sub-directories
_ORIGINAL, _SUBSECOND, _SERIAL = 0x9003, 0x9291, 0xA431
_MAKE, _MODEL = 0x010F, 0x0110
_STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)"  # date
    r"[-_T .]{1,2}([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?!\d{4})"  # time, perhaps with milliseconds
)


class Capture(NamedTuple):
    """When and where a picture was taken.

    Attributes:
        taken: seconds of the clock of the camera since 1970; None: not known.
        place: latitude and longitude in degrees; empty: not known.
        camera: make, model and serial number, as far as they are known.
    """

    taken: float | None = None
    place: tuple[float, ...] = ()
    camera: str = ""


def read_capture(exif: Any) -> Capture:
    """Read time, place and camera from the `PIL.Image.Exif` of a picture; senseless values count as unknown."""
    try:
        original, gps = exif.get_ifd(_EXIF), exif.get_ifd(_GPS)
    except Exception:  # Pillow has no list of what invalid EXIF raises
        return Capture()
    words = (exif.get(_MAKE), exif.get(_MODEL), original.get(_SERIAL))
    camera = " ".join(str(word).strip("\0 ") for word in words if word)
    return Capture(_read_time(original.get(_ORIGINAL), original.get(_SUBSECOND)), _read_place(gps), camera)


def time_of_name(stem: str) -> float | None:
    """Return the date and time in a file name, as `Capture.taken`; None: there is none."""
    match = _STAMP.search(stem)
    return _to_seconds(tuple(map(int, match.groups()))) if match else None


def with_name(capture: Capture, path: PurePath) -> Capture:
    """Return a capture whose unknown time is taken from the file name."""
    return capture if capture.taken is not None else capture._replace(taken=time_of_name(path.stem))


def chain(captures: Sequence[Capture]) -> list[int]:
    """Return the group of each picture, numbered from 0; pictures without time and place are alone.

    A time or place that all pictures have is that of an export or of a studio, and is not used.
    """
    parents = list(range(len(captures)))
    if len({capture.taken for capture in captures}) == 1:
        captures = [capture._replace(taken=None) for capture in captures]
    if len({capture.place for capture in captures}) == 1:
        captures = [capture._replace(place=()) for capture in captures]
    by_camera: dict[str, list[tuple[float, int]]] = {}
    for index, capture in enumerate(captures):
        if capture.taken is not None:
            by_camera.setdefault(capture.camera, []).append((capture.taken, index))
    for rows in by_camera.values():
        for (before, first), (after, second) in itertools.pairwise(sorted(rows)):
            places = captures[first].place, captures[second].place
            if after - before <= MAX_GAP_S and not (all(places) and distance_m(*places) > _FAR_M):
                _join(parents, first, second)
    _join_close({i: capture.place for i, capture in enumerate(captures) if capture.place}, parents)
    return number_groups(parents)


def number_groups(parents: list[int]) -> list[int]:
    """Return the number of the group of each element of a union-find forest, in the order in which they begin."""
    roots = [_find(parents, index) for index in range(len(parents))]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return [numbers[root] for root in roots]


def join(pairs: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Return the group of each of `count` elements, if the elements of each pair are in one group."""
    parents = list(range(count))
    for first, second in pairs:
        _join(parents, first, second)
    return number_groups(parents)


def distance_m(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the distance of two places in metres, on a plane; that is exact enough below 1 km."""
    north = (first[0] - second[0]) * _METRES_PER_DEGREE
    east = ((first[1] - second[1] + 180) % 360 - 180) * _METRES_PER_DEGREE * math.cos(math.radians(first[0]))
    return math.hypot(north, east)


def _join_close(places: Mapping[int, Sequence[float]], parents: list[int]) -> None:
    """Join all places within the distance, without comparing all with all."""
    cells: dict[tuple[int, int], dict[tuple, int]] = {}
    for index, place in places.items():
        row = math.floor(place[0] * _METRES_PER_DEGREE / _CELL_M)
        # the same width for a whole degree of latitude, so that columns of neighbouring rows lie below each other
        narrowing = max(1e-6, math.cos(math.radians(math.floor(abs(place[0])))))
        column = math.floor(place[1] * _METRES_PER_DEGREE * narrowing / _CELL_M)
        members = cells.setdefault((row, column), {})
        if members:
            _join(parents, next(iter(members.values())), index)
        members.setdefault((round(place[0], 6), round(place[1], 6)), index)
    steps = [step for step in itertools.product(range(3), range(-3, 4)) if step > (0, 0)]
    for (row, column), members in cells.items():
        for down, right in steps:
            others = cells.get((row + down, column + right))
            if others is None or _find(parents, min(members.values())) == _find(parents, min(others.values())):
                continue
            for pair in itertools.product(members.values(), others.values()):
                if distance_m(places[pair[0]], places[pair[1]]) <= MAX_DISTANCE_M:
                    _join(parents, *pair)
                    break


def _find(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _join(parents: list[int], first: int, second: int) -> None:
    roots = sorted((_find(parents, first), _find(parents, second)))
    parents[roots[1]] = roots[0]


def _read_time(text: Any, subsecond: Any) -> float | None:
    match = re.match(r"(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)", str(text or ""))
    seconds = _to_seconds(tuple(map(int, match.groups()))) if match else None
    part = re.match(r"\d+", str(subsecond or ""))
    return seconds if seconds is None or part is None else seconds + float(f"0.{part[0]}")


def _to_seconds(fields: tuple[int, ...]) -> float | None:
    try:
        return datetime(*fields, tzinfo=timezone.utc).timestamp()  # pyrefly: ignore[bad-argument-type]
    except (ValueError, OverflowError):
        return None


def _read_place(gps: Mapping[int, Any]) -> tuple[float, ...]:
    try:
        place = []
        for value, sign, negative, most in ((gps[2], gps[1], "S", 90), (gps[4], gps[3], "W", 180)):
            degrees, minutes, seconds = map(float, value)
            number = (degrees + minutes / 60 + seconds / 3600) * (-1 if str(sign).strip("\0 ") == negative else 1)
            if not abs(number) <= most:
                return ()
            place.append(round(number, 7))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ()
    return () if place == [0, 0] else tuple(place)  # 0, 0 is what a receiver without satellites writes
