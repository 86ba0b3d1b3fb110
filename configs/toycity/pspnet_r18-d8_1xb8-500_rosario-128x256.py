# The ToyCity model, tested on labelled photographs of a city that it never saw.
#
#   tools/dist_test.sh configs/toycity/pspnet_r18-d8_1xb8-500_rosario-128x256.py CHECKPOINT 2 --show-dir DIR
_base_ = "./pspnet_r18-d8_1xb8-500_toycity-128x256.py"
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="FolderSegDataset",
        dataset_file="configs/datasets/rosario.yaml",
        split="test",
        pipeline={{_base_.test_pipeline}},
    )
)
