# The Cityscapes model, tested on a labelled set of one's own: photographs and train-id masks under names of
# their own. For yours, copy this file and set the root, the two folders, and the two suffixes.
#
#   tools/dist_test.sh configs/pspnet/pspnet_r101-d8_4xb2-80k_rosario-512x1024.py CHECKPOINT 4 --show-dir DIR
_base_ = './pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py'
test_dataloader = dict(
    dataset=dict(
        data_root='data/rosario_labelled/',
        data_prefix=dict(img_path='photos', seg_map_path='annotation'),
        img_suffix='.jpg',
        seg_map_suffix='_mask.png'))
