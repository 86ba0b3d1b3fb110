import numpy as np
import pytest

from semseg import labels


def test_the_table_is_that_of_cityscapesscripts():
    reference = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    ours = [
        (row.name, row.label_id, row.train_id, row.category, row.has_instances, row.color)
        for row in labels.CITYSCAPES.labels
    ]
    assert ours == [(r.name, r.id, r.trainId, r.category, r.hasInstances, r.color) for r in reference]


def test_classes_and_palette_are_those_of_mmsegmentation():
    from mmseg.datasets import CityscapesDataset

    assert labels.CITYSCAPES.classes == CityscapesDataset.METAINFO["classes"]
    assert labels.CITYSCAPES.palette == CityscapesDataset.METAINFO["palette"]


def test_train_ids_survive_the_way_to_label_ids_and_back():
    train_ids = np.array([[*range(19), labels.IGNORED]], np.uint8)
    label_ids = labels.CITYSCAPES.to_label_ids(train_ids)
    assert label_ids[0, 0] == 7  # road
    assert label_ids[0, -1] == 0  # unlabeled
    np.testing.assert_array_equal(labels.CITYSCAPES.to_train_ids(label_ids), train_ids)


def test_label_ids_that_are_not_evaluated_are_ignored():
    assert labels.CITYSCAPES.to_train_ids(np.array([0, 1, 9, 34, 255], np.uint8)).tolist() == [255] * 5
