"""What a config ignores in its own data set is a class in another one."""

from mmengine.config import Config

from semseg.config.ignored import set_ignored


def test_every_place_that_ignores_another_value_than_255_is_changed_and_named():
    pipeline = [
        dict(type="LoadAnnotations"),
        dict(type="RandomCrop", crop_size=(8, 8), ignore_index=0),
        dict(type="Pad", size=(8, 8), pad_val=dict(img=0, seg=0)),
        dict(type="RandomRotate", prob=1, degree=9, seg_pad_val=0),
    ]
    cfg = Config(
        dict(
            model=dict(
                data_preprocessor=dict(type="SegDataPreProcessor", pad_val=0, seg_pad_val=0),
                decode_head=dict(
                    num_classes=3,
                    ignore_index=0,
                    loss_decode=[dict(type="DiceLoss", ignore_index=None), dict(type="LovaszLoss", ignore_index=7)],
                ),
                auxiliary_head=[dict(num_classes=3, ignore_index=255)],
            ),
            train_dataloader=dict(dataset=dict(type="X", pipeline=pipeline)),
            val_evaluator=dict(type="IoUMetric", ignore_index=0),
            test_evaluator=[dict(type="IoUMetric", ignore_index=0)],
        )
    )
    assert set_ignored(cfg) == [
        "model.data_preprocessor.seg_pad_val is 255 instead of 0",
        "model.decode_head.ignore_index is 255 instead of 0",
        "model.decode_head.loss_decode.1.ignore_index is 255 instead of 7",
        "val_evaluator.ignore_index is 255 instead of 0",
        "test_evaluator.0.ignore_index is 255 instead of 0",
        "train_dataloader.dataset.pipeline.1.ignore_index is 255 instead of 0",
        "train_dataloader.dataset.pipeline.2.pad_val.seg is 255 instead of 0",
        "train_dataloader.dataset.pipeline.3.seg_pad_val is 255 instead of 0",
    ]
    assert set_ignored(cfg) == []
    assert cfg.model.decode_head.loss_decode[0].ignore_index is None
    assert cfg.model.data_preprocessor.pad_val == 0
