# ESPNet on ToyCity, with the schedule of its other configs.
#
#   python tools/train.py examples/espnet/espnet_1xb4-1000_toycity-128x256.py
_base_ = ["./espnet_model.py", "../../configs/_base_/toycity.py"]
custom_imports = dict(imports=["espnet"])  # the file beside this config
model = dict(data_preprocessor=dict(size=(128, 256)))
