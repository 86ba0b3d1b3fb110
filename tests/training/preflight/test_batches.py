import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample
from PIL import Image

import semseg.plugins  # noqa: F401
from semseg.training.preflight import batches


class Folder:
    """A data set with the interface of MMSegmentation's, and the test pipeline of a config."""

    def __init__(self, folder, sizes, *steps):
        self.paths = [folder / f"{i}.png" for i in range(len(sizes))]
        for path, size in zip(self.paths, sizes, strict=True):
            Image.new("L", size).save(path)
        self.pipeline = TRANSFORMS.build(dict(type="Compose", transforms=list(steps)))

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, index):
        return {"img_path": str(self.paths[index])}


def test_the_largest_picture_is_that_of_the_most_pixels(tmp_path):
    largest = batches.find_largest(Folder(tmp_path, [(40, 20), (30, 60), (10, 10)]))
    assert (largest.index, largest.path, largest.size) == (1, str(tmp_path / "1.png"), (30, 60))
    assert largest.mean_share == pytest.approx((800 + 1800 + 100) / 3 / 1800)


def test_the_size_after_a_resize_counts_as_well(tmp_path):
    # to fit into 200x100: the square becomes 100x100, the wide one 200x100
    resize = dict(type="Resize", scale=(200, 100), keep_ratio=True)
    assert batches.find_largest(Folder(tmp_path, [(70, 70), (90, 45)], resize)).index == 1
    assert batches.find_largest(Folder(tmp_path, [(70, 70), (90, 45)])).index == 0
    resize = dict(type="Resize", scale_factor=3.0)
    assert batches.find_largest(Folder(tmp_path, [(70, 70), (90, 45)], resize)).index == 0


def test_a_file_that_cannot_be_read_is_left_to_the_pipeline(tmp_path):
    folder = Folder(tmp_path, [(40, 20), (10, 10)])
    folder.paths[0].write_bytes(b"no picture")
    assert batches.find_largest(folder).index == 1


def test_a_part_of_a_batch_keeps_the_proportions_and_does_not_change_the_batch():
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 30, 50)))
    sample.set_metainfo(dict(ori_shape=(60, 100), img_shape=(30, 50), img_path="x.png"))
    batch = dict(inputs=[torch.zeros(3, 30, 50)], data_samples=[sample])
    small = batches.halved(batch)
    assert small["inputs"][0].shape == (3, 15, 25)
    assert small["data_samples"][0].gt_sem_seg.shape == (15, 25)
    assert small["data_samples"][0].ori_shape == (30, 50)
    assert batches.corner(batch, (10, 10))["data_samples"][0].ori_shape == (20, 20)
    assert (sample.ori_shape, batch["inputs"][0].shape) == ((60, 100), (3, 30, 50))


def test_a_long_path_is_shortened_in_its_middle():
    assert batches.shorten_path("data/a/leftImg8bit/val/b/c.png") == "data/a/…/c.png"
    assert batches.shorten_path("data/c.png") == "data/c.png"
