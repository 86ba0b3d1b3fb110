"""Fingerprints for the rules: those of a plain set, with some figures replaced."""

import dataclasses

from semseg.planning.fingerprint import ClassFigures, Fingerprint
from semseg.planning.machine_facts import Machine, Trial

KEPT = (0.99, 0.97, 0.93, 0.85, 0.7)
CPU = Machine("cpu", "a CPU", 2, 8 << 30)
GPU = Machine("cuda", "a GPU", 16, 80 << 30)
TRIAL = Trial(step_s=0.5, sample_s=0.02, picture_s=0.05, start_s=10.0, step_bytes=1 << 30, batch_size=4)


def of_class(name, share=0.5, kept=KEPT, **figures):
    values = dict(
        picture_share=1.0, num_objects=100, object_area_px=900.0, object_width_px=30.0, size_spread=5.0,
        width_px=20.0, narrow_width_px=8.0,
    )  # fmt: skip
    return ClassFigures(name=name, pixel_share=share, kept=kept, **{**values, **figures})


PLAIN = Fingerprint(
    dataset="data/dataset.yaml", split="train", num_pictures={"train": 300, "val": 60}, num_groups=300,
    group_rule="picture", num_measured=150, size=(360, 480), smallest_side=360, largest_side=480, aspect=4 / 3,
    color_mean=(110.0, 112.0, 108.0), color_std=(60.0, 61.0, 59.0), color_spread=20.0, saturation=0.3, hue_spread=0.5,
    ignored_share=0.0, border_share=0.05, top_bottom=0.6, left_right=0.1, turn=0.5, kept=KEPT,
    classes=(of_class("ground"), of_class("thing")),
)  # fmt: skip


def with_figures(**changes):
    return dataclasses.replace(PLAIN, **changes)
