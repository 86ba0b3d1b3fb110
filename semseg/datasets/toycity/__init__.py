"""Toy City: drawn street scenes with Cityscapes' classes, to try the whole tool chain without a download.

city, street, vehicles, people and others build a scene; paint and outline turn it into arrays; only write uses the
disk.
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
