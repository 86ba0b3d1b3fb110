"""A segmentation model and a set of pictures small enough for runs of a second."""

import torch
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample

MODEL = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(type="SegDataPreProcessor", mean=[128] * 3, std=[60] * 3, size=(16, 16)),
    backbone=dict(
        type="ResNetV1c",
        depth=18,
        base_channels=4,
        stem_channels=4,
        num_stages=1,
        out_indices=(0,),
        strides=(1,),
        dilations=(1,),
    ),
    decode_head=dict(
        type="FCNHead",
        in_channels=4,
        channels=4,
        num_convs=1,
        in_index=0,
        num_classes=3,
        dropout_ratio=0,
        loss_decode=dict(type="CrossEntropyLoss"),
    ),
)


@DATASETS.register_module()
class Squares(torch.utils.data.Dataset):
    """Six pictures, in order; `broken` is the index of one that is infinite everywhere."""

    metainfo = dict(classes=("a", "b", "c"), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])

    def __init__(self, broken=None, target=None, pipeline=()):
        self.broken, self.target = broken, target

    def __len__(self):
        return 6

    def __getitem__(self, index):
        drawn = torch.Generator().manual_seed(int(index))
        image = torch.randint(0, 256, (3, 16, 12), generator=drawn).float()
        if index == self.broken:
            image[:] = torch.inf
        target = torch.randint(0, 3, (1, 16, 12), generator=drawn)
        if self.target is not None:
            target[:] = self.target
        paths = dict(img_path=f"images/{index}.png", seg_map_path=f"masks/{index}.png", ori_shape=(16, 12))
        sample = SegDataSample(metainfo=dict(paths, img_shape=(16, 12)), gt_sem_seg=PixelData(data=target))
        return dict(inputs=image, data_samples=sample)
