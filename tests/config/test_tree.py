from types import SimpleNamespace

from mmengine.config import Config

from semseg.config.tree import (
    built_datasets,
    datasets_of,
    edited,
    first_pipeline,
    inner_datasets,
    inner_datasets_with_keys,
    leaves,
)

A, B, C = {"type": "A"}, {"type": "B"}, {"type": "C"}


def test_the_sets_inside_wrappers_and_lists_are_found_with_their_places():
    nested = {"type": "ConcatDataset", "datasets": [{"type": "RepeatDataset", "dataset": A, "times": 2}, [B, C]]}
    assert inner_datasets(nested) == [A, B, C]
    assert [key for key, _ in inner_datasets_with_keys(nested, "loader.dataset")] == [
        "loader.dataset.datasets.0.dataset",
        "loader.dataset.datasets.1.0",
        "loader.dataset.datasets.1.1",
    ]
    assert inner_datasets(A) == [A]


def test_dataloaders_that_a_config_does_not_have_read_no_sets():
    joined = {"type": "ConcatDataset", "datasets": [A | {"pipeline": [C]}, B]}
    cfg = Config({"train_dataloader": None, "val_dataloader": {"dataset": joined}, "test_dataloader": {"dataset": B}})
    loaders = ("train_dataloader", "val_dataloader", "test_dataloader")
    assert [dataset.type for dataset in datasets_of(cfg, *loaders)] == ["A", "B", "B"]
    assert first_pipeline(cfg, *loaders) == [C]
    assert first_pipeline(cfg, "test_dataloader", "val_dataloader") == first_pipeline(cfg, "train_dataloader") == []


def test_built_sets_are_found_inside_wrappers():
    one, two = SimpleNamespace(), SimpleNamespace()
    wrapped = SimpleNamespace(datasets=[SimpleNamespace(dataset=one), two])
    assert list(built_datasets(wrapped)) == [one, two]


def test_parts_are_replaced_from_the_inside_out_and_the_given_ones_stay():
    steps = [{"type": "Branch", "steps": ({"type": "Crop", "size": (2, 3)}, {"size": 4})}]
    seen = []

    def edit(step):
        seen.append(step["type"])
        return {**step, "type": step["type"].lower()}

    assert edited(steps, edit) == [{"type": "branch", "steps": ({"type": "crop", "size": (2, 3)}, {"size": 4})}]
    assert seen == ["Crop", "Branch"]
    assert steps[0]["type"] == "Branch"


def test_a_list_of_plain_values_is_one_value_of_a_config():
    node = {"size": (2, 3), "heads": [{"classes": 4}, {"classes": 5}], "empty": {}}
    assert dict(leaves(node)) == {"size": (2, 3), "heads.0.classes": 4, "heads.1.classes": 5}
