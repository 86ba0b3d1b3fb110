"""Toy City: drawn street scenes with Cityscapes' classes, to try the whole tool chain without a download.

Scenes (city, street, vehicles, people, ...) say what stands where, paint and outline turn a scene into
arrays, write is the only module that touches the disk.
"""

from semseg.datasets.toycity.write import (
    Picture,
    describe_labelled,
    labelled_root,
    plan_cityscapes,
    plan_rosario,
    render,
    write_all,
)

__all__ = ["Picture", "describe_labelled", "labelled_root", "plan_cityscapes", "plan_rosario", "render", "write_all"]
