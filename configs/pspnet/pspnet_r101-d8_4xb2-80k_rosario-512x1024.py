# The Cityscapes model, tested on labelled photographs of a city that it never saw. A set of your own needs no
# config: describe it as configs/datasets/rosario.yaml does, and give tools/dist_test.sh --data FILE.
#
#   tools/dist_test.sh configs/pspnet/pspnet_r101-d8_4xb2-80k_rosario-512x1024.py CHECKPOINT 4 --show-dir DIR
_base_ = "./pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="FolderSegDataset",
        dataset_file="configs/datasets/rosario.yaml",
        split="test",
        pipeline={{_base_.test_pipeline}},
    )
)
