# The ToyCity model, tested on labelled photographs of a city that it never saw.
#
#   tools/dist_test.sh configs/toycity/pspnet_r18-d8_1xb8-500_rosario-128x256.py CHECKPOINT 2 --show-dir DIR
_base_ = './pspnet_r18-d8_1xb8-500_toycity-128x256.py'
test_dataloader = dict(
    dataset=dict(
        data_root='data/rosario_labelled/',
        data_prefix=dict(img_path='photos', seg_map_path='annotation'),
        img_suffix='.jpg',
        seg_map_suffix='_mask.png'))
