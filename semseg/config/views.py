"""The views of test-time augmentation, `tta_pipeline`: their sizes follow the scale of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from semseg.config.scaling_steps import divided, is_scaling, scaling_step, to_pair
from semseg.config.tree import edited, first_pipeline, parts_with_type, type_name


def scale_of_test(cfg: Config) -> Mapping | None:
    """Return the step that scales pictures in a test; None: they keep their size."""
    return scaling_step(first_pipeline(cfg, "test_dataloader", "val_dataloader"))


def scale_views(cfg: Config, insert: bool) -> None:
    """Let views that multiply the size of a picture start from the scale of the test. Modifies `cfg`.

    Args:
        cfg: with all options applied.
        insert: insert a step that scales to the scale of the test. In the set of the config, the files have this scale;
            those of another set may have any size. If all factors are smaller than 1, or all are larger, they were
            meant for files of another size than that of the test: then nothing is inserted. False: a step that was
            inserted before, as in the config of a checkpoint, gets the scale of the test.
    """
    step, pipeline = scale_of_test(cfg), cfg.get("tta_pipeline")
    place = next((i for i, view in enumerate(pipeline or ()) if type_name(view) == "TestTimeAug"), None)
    if step is None or pipeline is None or place is None:
        return
    views = [view for view in parts_with_type(pipeline[place].get("transforms", [])) if type_name(view) == "Resize"]
    factors = [view["scale_factor"] for view in views if isinstance(view.get("scale_factor"), (int, float))]
    if not factors or len(factors) < len(views):
        return
    if any(map(is_scaling, pipeline[:place])) or (insert and min(factors) <= 1 <= max(factors)):
        kept = [part for part in pipeline[:place] if not is_scaling(part)]
        cfg.tta_pipeline = [*kept, dict(step), *pipeline[place:]]


def follow_test(cfg: Config, before: Mapping | None) -> None:
    """Change the scales of views as the scale of the test was changed. Modifies `cfg`.

    Args:
        cfg: after the change.
        before: `scale_of_test` before the change.
    """
    after = scale_of_test(cfg)
    if before is None or after is None or "tta_pipeline" not in cfg or type_name(before) != type_name(after):
        return
    factor = max(to_pair(before["scale"])) / max(to_pair(after["scale"]))
    if factor != 1:

        def follow(step: Mapping) -> dict[str, Any]:
            return {**step, "scale": divided(step["scale"], factor)} if is_scaling(step) else dict(step)

        cfg.tta_pipeline = edited(cfg.tta_pipeline, follow)
