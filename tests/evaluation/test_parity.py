"""The scores are those of MMSegmentation and cityscapesScripts, to the last digit that they print."""

import json

import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official
import numpy as np
import pytest
import torch
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2instanceImg import createInstanceImage
from mmseg.evaluation import IoUMetric
from PIL import Image

from semseg.evaluation import scores
from semseg.evaluation.confusion import Areas, Confusions, count_pixels, entries_of
from semseg.evaluation.instances import InstanceAreas, weigh_instances
from semseg.labels import CITYSCAPES, categories_of

pytestmark = pytest.mark.slow

NUM_CLASSES = len(CITYSCAPES.classes)


def predict(train_ids, random):
    """Return a shifted copy of the truth, with random classes in ignored and in 10 % of the other pixels."""
    predicted = np.roll(train_ids, 3, axis=1)
    noise = random.random(predicted.shape) < 0.1
    return np.where(noise | (predicted == 255), random.integers(0, NUM_CLASSES, predicted.shape), predicted)


@pytest.fixture(scope="module")
def random_masks():
    """Return label ids in blocks of random labels, and instance ids."""
    random = np.random.default_rng(0)
    masks = []
    for number in range(3):
        choice = [label.label_id for label in CITYSCAPES.labels if label.label_id >= 0]
        blocks = random.choice(choice[: -number * 8 or None], (12, 16))
        label_ids = np.kron(blocks, np.ones((5, 7), int)).astype(np.uint8)
        instances = np.isin(label_ids, [label.label_id for label in CITYSCAPES.labels if label.has_instances])
        numbers = np.kron(random.integers(0, 3, (12, 16)), np.ones((5, 7), int))
        masks.append(
            (label_ids, np.where(instances, label_ids.astype(int) * 1000 + numbers, label_ids).astype(np.uint16))
        )
    return masks


@pytest.fixture(scope="module")
def town_masks(town):
    masks = []
    for path in sorted((town / "data/toycity/gtFine/val").rglob("*_polygons.json")):
        annotation = Annotation()
        annotation.fromJsonFile(str(path))
        label_ids = np.asarray(Image.open(str(path).replace("_polygons.json", "_labelIds.png")))
        masks.append((label_ids, np.asarray(createInstanceImage(annotation, "ids"), np.uint16)))
    return masks


@pytest.fixture(params=["random_masks", "town_masks"])
def samples(request):
    """Return (label ids, instance ids, truth, prediction) of some images."""
    random = np.random.default_rng(1)
    masks = [
        (ids, instances, CITYSCAPES.to_train_ids(ids)) for ids, instances in request.getfixturevalue(request.param)
    ]
    return [(ids, instances, target, predict(target, random)) for ids, instances, target in masks]


@pytest.fixture
def confusions(samples):
    entries = {}
    for i, (_, _, target, predicted) in enumerate(samples):
        matrix = count_pixels(torch.from_numpy(predicted), torch.from_numpy(target), NUM_CLASSES)
        entries[f"{i}"] = target.shape, *entries_of(matrix.numpy())
    return Confusions.of(entries, NUM_CLASSES)


def test_mmsegmentation(samples, confusions):
    areas = Areas.of(confusions.total())
    stock_areas = [
        IoUMetric.intersect_and_union(torch.from_numpy(predicted), torch.from_numpy(target).long(), NUM_CLASSES, 255)
        for _, _, target, predicted in samples
    ]
    total = [sum(part) for part in zip(*stock_areas, strict=True)]
    stock = IoUMetric.total_area_to_metrics(*total, ["mIoU", "mDice", "mFscore"])
    ours = {
        "aAcc": scores.a_acc(areas),
        "IoU": scores.iou(areas),
        "Acc": scores.recall(areas),
        "Dice": scores.f1(areas),
        "Precision": scores.precision(areas),
        "Recall": scores.recall(areas),
    }
    for name, values in ours.items():
        for value, stock_value in zip(np.ravel(values), np.ravel(stock[name]) * 100, strict=True):
            assert f"{value:.2f}" == f"{stock_value:.2f}", name


def test_cityscapes_scripts(samples, confusions, tmp_path, monkeypatch):
    # cityscapesScripts calls a function that numpy 2.4 has removed
    monkeypatch.setattr(np, "in1d", lambda values, among: np.isin(np.ravel(values), among), raising=False)
    paths = []
    for i, (label_ids, instances, _, predicted) in enumerate(samples):
        names = [tmp_path / f"{i}_{kind}.png" for kind in ("labelIds", "instanceIds", "predicted")]
        Image.fromarray(label_ids).save(names[0])
        Image.fromarray(instances).save(names[1])
        Image.fromarray(CITYSCAPES.to_label_ids(predicted)).save(names[2])
        paths.append((str(names[2]), str(names[0])))
    official.args.quiet, official.args.JSONOutput, official.args.evalInstLevelScore = True, False, True
    theirs = official.evaluateImgLists(*zip(*paths, strict=True), official.args)
    theirs = json.loads(json.dumps(theirs))

    def same(ours, theirs):
        """Return whether both are equal to the third digit, the last that cityscapesScripts prints."""
        return f"{ours / 100:>5.3f}" == f"{theirs:>5.3f}"

    matrix, classes = confusions.total(), CITYSCAPES.classes
    weighed = [weigh_instances(predicted, instances, classes) for _, instances, _, predicted in samples]
    weighed = InstanceAreas(classes, *(np.stack(part) for part in zip(*weighed, strict=True)))
    categories = categories_of(classes)
    names = list(dict.fromkeys(categories))
    numbers = [names.index(category) for category in categories]

    iou = scores.iou(Areas.of(matrix))
    instance_iou = weighed.class_iou(matrix)
    category_iou = scores.iou(confusions.areas(numbers).sum())
    instance_category_iou = weighed.category_iou(matrix, categories)
    for i, name in enumerate(classes):
        assert same(iou[i], theirs["classScores"][name]), name
        assert same(instance_iou[i], theirs["classInstScores"][name]), name
    for i, name in enumerate(names):
        assert same(category_iou[i], theirs["categoryScores"][name]), name
        assert same(instance_category_iou.get(name, np.nan), theirs["categoryInstScores"][name]), name
    assert same(scores.mean_of_defined(iou), theirs["averageScoreClasses"])
    assert same(scores.mean_of_defined(category_iou), theirs["averageScoreCategories"])
    assert same(scores.mean_of_defined(instance_iou), theirs["averageScoreInstClasses"])
    assert {"human", "vehicle"} == set(instance_category_iou)


def test_the_float32_sums_of_mmsegmentation_lose_pixels_of_large_sets_and_ours_do_not():
    """Therefore the last printed digit may differ for a set of more than 2**24 pixels of a class."""
    sizes = [(4096, 4096), *[(1, 1)] * 5]
    images = [(torch.zeros(size, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8)) for size in sizes]
    stock = sum(IoUMetric.intersect_and_union(*(part.long() for part in pair), 2, 255)[0] for pair in images)
    entries = {}
    for i, (predicted, target) in enumerate(images):
        matrix = count_pixels(predicted, target, 2)
        entries[f"{i}"] = target.shape, *entries_of(matrix.numpy())
    ours = Areas.of(Confusions.of(entries, 2).total())
    assert ours.intersect[0] == 2**24 + 5
    assert stock[0] == 2**24
