from types import SimpleNamespace

from semseg.config.tree import built_datasets, inner_datasets, inner_datasets_with_keys

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


def test_built_sets_are_found_inside_wrappers():
    one, two = SimpleNamespace(), SimpleNamespace()
    wrapped = SimpleNamespace(datasets=[SimpleNamespace(dataset=one), two])
    assert list(built_datasets(wrapped)) == [one, two]
