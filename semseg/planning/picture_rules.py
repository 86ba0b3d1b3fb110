"""Rules for the network and for what it sees: resolution, scale, crop, augmentation, normalisation, loss.

Each rule takes figures and returns a `Choice`, a value with its reason. The constants are measured with this project
(docs/models.md, docs/imbalance.md), or their source is named.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from semseg.planning.choice import Choice
from semseg.planning.fingerprint import Fingerprint
from semseg.planning.machine_facts import Machine
from semseg.planning.networks import FPN, PSPNET, UNET, Network
from semseg.planning.picture_facts import STRIDES

KEPT_SHARE = 0.8  # PSPNet at stride 8 keeps 0.83 on CamVid, and was the best there in 20 minutes on one core
THIN_STRIDE = 2  # structures that need this stride or less are thin
# UNet learns slowly what is rare: it won with vessels (DRIVE, 13 % of the pixels) and lost with cracks (CrackForest,
# 1.7 %), see docs/plan.md; not measured in between
UNET_SHARE = 0.05
CROP_PIXELS = {"cpu": 320 * 320, "cuda": 512 * 512}  # of configs/camvid, and of the model zoo's configs
WHOLE_PICTURE = 4 / 3  # a picture with at most this many times the pixels of a crop is not cropped
CROPS_PER_PICTURE = 2  # a larger picture is scaled down to this many crops, if that keeps what the network can see
MULTIPLE = 32  # of the sides of a crop: the largest stride of common backbones
MANY_PASSES = 30  # between 10 and 90, the passes of the short and the long recipe for CamVid; not measured in between
RARE_SHARE = 0.5  # of an equal share 1 / number of classes
VERY_RARE_SHARE = 0.02  # RareClassDataset hardly draws classes above twice its temperature of 1 %
SAME_SIZE_SPREAD = 2.0
FEW_HUES, GREY = 0.15, 0.1
BRIGHTNESS = 32  # the default of PhotoMetricDistortion, for photographs whose colours have a deviation of about 60
_SIDES = re.compile(r"\b(left|right)\b")
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))  # mean and std, RGB, of the model zoo


def kept_of_small_classes(fingerprint: Fingerprint) -> tuple[float, ...]:
    """Return the mean IoU that is left at each stride of `STRIDES`, without the class that has the most pixels.

    The largest class, often a background, keeps nearly everything at any stride and would hide the others.
    """
    classes = [figures for figures in fingerprint.classes if figures.pixel_share > 0]
    if len(classes) > 1:
        classes.remove(max(classes, key=lambda figures: figures.pixel_share))
    return tuple(np.mean([figures.kept for figures in classes], axis=0).tolist())


def choose_stride(fingerprint: Fingerprint) -> Choice:
    """Choose the coarsest resolution of the features that keeps enough of the classes."""
    kept = kept_of_small_classes(fingerprint)
    fitting = [stride for stride, share in zip(STRIDES, kept, strict=True) if share >= KEPT_SHARE]
    stride = max(fitting, default=1)
    narrowest = min(
        (figures for figures in fingerprint.classes if figures.num_objects), key=lambda figures: figures.width_px
    )
    shares = ", ".join(f"1/{s} {share:.0%}" for s, share in zip(STRIDES, kept, strict=True) if s <= 2 * stride)
    return Choice(
        "resolution",
        stride,
        f"features at 1/{stride} of the picture, or finer",
        f"the truth itself, reduced and enlarged again, keeps this IoU of all classes but the largest: {shares}"
        f" ({KEPT_SHARE:.0%} are required). The narrowest class, {narrowest.name}, is {narrowest.width_px:g} px wide"
        " (median).",
    )


def choose_network(fingerprint: Fingerprint, passes: float) -> Choice:
    """Choose a measured network by the resolution that the classes need, and by the budget.

    Args:
        fingerprint: of the set.
        passes: that FPN makes over the set in the time.
    """
    stride = choose_stride(fingerprint).value
    if stride <= THIN_STRIDE:
        coarser = STRIDES.index(THIN_STRIDE) + 1
        share = max(figures.pixel_share for figures in fingerprint.classes if figures.kept[coarser] < KEPT_SHARE)
        network = UNET if share >= UNET_SHARE else FPN
        reason = (
            f"thin structures need features at 1/{stride}; it predicts at the full resolution."
            if network is UNET
            else f"thin structures have {share:.1%} of the pixels; UNet needs much longer for what is so rare (cracks"
            " after 20 minutes on a core: 52.7 IoU, UNet 41.8)."
        )
    elif stride < PSPNET.stride:
        network = FPN
        reason = f"the classes need features at 1/{stride}; it predicts from features at 1/4."
    elif passes < MANY_PASSES:
        network = PSPNET
        reason = (
            f"features at 1/8 are enough, and in a short training (FPN would make {passes:.0f} passes over the set) it"
            " learns fastest: 60.8 mIoU on CamVid after 20 minutes on a core, FPN 57.9."
        )
    else:
        network = FPN
        reason = (
            f"in a long training ({passes:.0f} passes over the set) its finer features pay: 72.4 mIoU on CamVid after"
            " 90 passes."
        )
    return Choice("network", network, network.title, reason)


def choose_scale(fingerprint: Fingerprint, network: Network, machine: Machine) -> Choice:
    """Choose the size to which pictures are scaled: width, height of a median picture."""
    height, width = fingerprint.size
    needed = choose_stride(fingerprint).value
    target = CROPS_PER_PICTURE * CROP_PIXELS[machine.device]
    factor = min(1.0, math.sqrt(target / (height * width)))
    if needed <= THIN_STRIDE or factor == 1:
        why = (
            "thin structures would vanish at a smaller size."
            if needed <= THIN_STRIDE
            else f"a median picture has at most {CROPS_PER_PICTURE} times the pixels of a crop."
        )
        return Choice("scale", (width, height), f"{width}x{height}, as stored", why)
    factor = max(factor, min(1.0, network.stride / needed))
    size = (round(width * factor), round(height * factor))
    return Choice(
        "scale",
        size,
        f"{size[0]}x{size[1]}, {factor:.2f} of the median picture",
        f"a crop sees more of the picture; features at 1/{network.stride} of this size are still at"
        f" 1/{network.stride / factor:.1f} of the stored one, where 1/{needed} is enough.",
    )


def choose_crop(fingerprint: Fingerprint, scale: tuple[int, int], network: Network, machine: Machine) -> Choice:
    """Choose height and width of the crops.

    Args:
        scale: width and height of a scaled picture.
    """
    width, height = scale
    most = CROP_PIXELS[machine.device]
    if network.stride == 1:
        most = most * 16 // 25  # 256 of 320 px a side: its features are as large as the crop
    if height * width <= WHOLE_PICTURE * most:
        crop = tuple(max(MULTIPLE, -(-side // MULTIPLE) * MULTIPLE) for side in (height, width))
        why = "the whole picture: it has few pixels."
    else:
        short = min(_whole_multiple(math.sqrt(most)), _whole_multiple(min(height, width)))
        long = min(_whole_multiple(most / short), _whole_multiple(max(height, width)))
        if short == _whole_multiple(math.sqrt(most)):  # a square does not prefer a direction
            long = short
        crop = (short, long) if height <= width else (long, short)
        why = (
            f"about {most} px fit the {'GPU' if machine.device == 'cuda' else 'CPU'}: more crops are seen in the time."
        )
    return Choice("crop", crop, f"{crop[0]}x{crop[1]} (height x width)", why)


def _whole_multiple(side: float) -> int:
    """Return the largest multiple of `MULTIPLE` that is at most `side`, at least one."""
    return max(MULTIPLE, int(side // MULTIPLE) * MULTIPLE)


def choose_flips(fingerprint: Fingerprint, crop: tuple[int, int]) -> Choice:
    """Choose flips and quarter turns: none, horizontal, all, turns."""
    sided = [
        figures.name for figures in fingerprint.classes if _SIDES.search(re.sub(r"[_\-]", " ", figures.name.lower()))
    ]
    if sided:
        return Choice("flips", "none", "none", f"{sided[0]} would become the other side.")
    limit = still_limit(fingerprint.num_measured)
    moved = f"turned over, {fingerprint.top_bottom:.0%} of the pixels of a class are in another quarter of the height"
    if fingerprint.top_bottom > limit:
        return Choice("flips", "horizontal", "left to right", f"the pictures have a top: {moved}.")
    if fingerprint.turn > limit or crop[0] != crop[1]:
        why = (
            "the crops are not square" if crop[0] != crop[1] else f"turned by 90 degrees, it is {fingerprint.turn:.0%}"
        )
        return Choice("flips", "all", "left to right, top to bottom", f"the pictures have no top: {moved}; {why}.")
    return Choice(
        "flips",
        "turns",
        "all flips and turns by 90 degrees",
        f"the pictures have no top: {moved}; turned by 90 degrees, {fingerprint.turn:.0%}. Both are below {limit:.0%},"
        " which chance can make.",
    )


def still_limit(num_pictures: int) -> float:
    """Return the largest share of moved pixels that counts as none: 10 %, and what chance adds in few pictures.

    With n pictures that each hold an object in one of four bands, two mirrored halves differ by about 0.5 / sqrt(n).
    """
    return 0.1 + 0.5 / math.sqrt(num_pictures)


def choose_scale_range(fingerprint: Fingerprint, passes: float, network: Network) -> Choice:
    """Choose the range of the random scales: from, to."""
    spreads = [figures.size_spread for figures in fingerprint.classes if figures.num_objects >= 10]
    spread = float(np.median(spreads)) if spreads else SAME_SIZE_SPREAD
    told = f"the largest tenth of the objects of a class is {spread:.1f} times as long as the smallest (median)"
    if spread < SAME_SIZE_SPREAD:
        return Choice("scale range", (0.9, 1.1), "0.9 to 1.1", f"objects have one size: {told}.")
    if network.stride == 1:
        return Choice("scale range", (0.8, 1.25), "0.8 to 1.25", f"{told}; thin structures vanish at smaller scales.")
    if passes < MANY_PASSES:
        return Choice(
            "scale range", (0.8, 1.25), "0.8 to 1.25", f"{told}; a run of {passes:.0f} passes does not overfit."
        )
    return Choice(
        "scale range",
        (0.75, 1.75),
        "0.75 to 1.75",
        f"{told}; {passes:.0f} passes over the set overfit with fewer scales, as on CamVid.",
    )


def choose_colors(fingerprint: Fingerprint, passes: float) -> Choice:
    """Choose the distortion of the colours: arguments of PhotoMetricDistortion, or None."""
    if passes < MANY_PASSES:
        return Choice("colours", None, "as they are", f"a run of {passes:.0f} passes does not overfit.")
    contrast = float(np.mean(fingerprint.color_std))
    values: dict[str, Any] = {"brightness_delta": max(1, min(BRIGHTNESS, round(contrast / 2)))}
    why = (
        f"{passes:.0f} passes over the set overfit. Brightness changes by half of the contrast ({contrast:.0f}) at most"
    )
    if fingerprint.saturation >= GREY and fingerprint.hue_spread >= FEW_HUES:
        return Choice("colours", values, "other brightness, contrast, saturation, hue", f"{why}.")
    kind = (
        f"are grey (saturation {fingerprint.saturation:.2f})"
        if fingerprint.saturation < GREY
        else f"have one hue (spread {fingerprint.hue_spread:.2f})"
    )
    values |= {"saturation_range": (1.0, 1.0), "hue_delta": 1}  # the smallest range of hues, one of 180 steps
    return Choice("colours", values, "other brightness and contrast", f"{why}; the pictures {kind}.")


def choose_normalisation(fingerprint: Fingerprint, pretrained: bool) -> Choice:
    """Choose mean and standard deviation of the colours, RGB."""
    if pretrained:
        return Choice("normalisation", _IMAGENET, "as ImageNet", "the pretrained weights expect it.")
    mean = tuple(round(value, 1) for value in fingerprint.color_mean)
    std = tuple(round(max(value, 1.0), 1) for value in fingerprint.color_std)
    shown = f"mean {', '.join(f'{value:g}' for value in mean)}; std {', '.join(f'{value:g}' for value in std)}"
    return Choice("normalisation", (mean, std), shown, "of the pictures themselves, as nothing pretrained is used.")


def choose_loss(fingerprint: Fingerprint, machine: Machine) -> Choice:
    """Choose the losses of the head that predicts: the stride of the Lovász loss, or None for the cross entropy."""
    rarest = min(
        (figures for figures in fingerprint.classes if figures.pixel_share > 0), key=lambda figures: figures.pixel_share
    )
    equal = 1 / len(fingerprint.classes)
    if rarest.pixel_share >= RARE_SHARE * equal:
        return Choice("loss", None, "cross entropy", f"no class is rare: {rarest.name} has {rarest.pixel_share:.1%}.")
    stride = 1 if machine.device == "cuda" else 2
    every = "" if stride == 1 else ", of every second row and column, which a CPU sorts four times as fast,"
    return Choice(
        "loss",
        stride,
        "cross entropy + Lovász",
        f"{rarest.name} has {rarest.pixel_share:.2%} of the pixels; the Lovász loss{every} weighs all classes alike"
        " (+6.8 mIoU on ToyCity; class weights +2.3, and they cost 10 points of aAcc).",
    )


def choose_rare_crops(fingerprint: Fingerprint, passes: float) -> Choice:
    """Choose the share of the crops around rare classes; 0 for none."""
    rare = [figures for figures in fingerprint.classes if 0 < figures.pixel_share < VERY_RARE_SHARE]
    if not rare:
        return Choice("rare-class crops", 0.0, "none", f"every class has at least {VERY_RARE_SHARE:.0%} of the pixels.")
    names = ", ".join(figures.name for figures in sorted(rare, key=lambda figures: figures.pixel_share)[:3])
    if passes < MANY_PASSES:
        return Choice(
            "rare-class crops",
            0.0,
            "none",
            f"few pixels: {names}; but in {passes:.0f} passes the crops change nothing.",
        )
    return Choice(
        "rare-class crops",
        0.5,
        "half of the crops",
        f"less than {VERY_RARE_SHARE:.0%} of the pixels: {names}; and there is time for {passes:.0f} passes.",
    )
