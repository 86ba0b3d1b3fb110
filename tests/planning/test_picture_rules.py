import pytest

from semseg.planning import picture_rules
from semseg.planning.networks import FPN, PSPNET, UNET
from tests.planning.figures import CPU, GPU, PLAIN, of_class, with_figures

THIN = with_figures(
    classes=(of_class("skin", 0.95), of_class("vessel", 0.05, kept=(0.86, 0.64, 0.3, 0.1, 0.0), width_px=3.0))
)
RARE = with_figures(
    classes=(of_class("road", 0.951), of_class("crack", 0.049, kept=(0.9, 0.58, 0.18, 0.02, 0.0), width_px=3.0))
)
MEDIUM = with_figures(classes=(of_class("road", 0.95), of_class("sign", 0.05, kept=(0.95, 0.85, 0.6, 0.3, 0.1))))


def test_the_stride_is_the_coarsest_that_keeps_four_fifths_of_the_smaller_classes():
    assert picture_rules.choose_stride(PLAIN).value == 16
    assert picture_rules.choose_stride(MEDIUM).value == 4
    assert picture_rules.choose_stride(THIN).value == 2
    dots = with_figures(classes=(of_class("skin", 0.9), of_class("dot", 0.1, kept=(0.5, 0.1, 0, 0, 0))))
    assert picture_rules.choose_stride(dots).value == 1
    assert "vessel, is 3 px wide" in picture_rules.choose_stride(THIN).reason


@pytest.mark.parametrize(
    "figures, passes, network",
    [(PLAIN, 29.9, PSPNET), (PLAIN, 30, FPN), (MEDIUM, 1, FPN), (THIN, 1, UNET), (THIN, 1000, UNET), (RARE, 1000, FPN)],
)
def test_network(figures, passes, network):
    assert picture_rules.choose_network(figures, passes).value is network


def test_small_pictures_and_thin_structures_keep_their_size_and_large_pictures_are_scaled_down():
    assert picture_rules.choose_scale(PLAIN, FPN, CPU).value == (480, 360)
    large = with_figures(size=(2000, 3000))
    width, height = picture_rules.choose_scale(large, PSPNET, CPU).value
    assert (width, height) == (1500, 1000)  # stride 16 is enough, and stride 8 at half the size is that
    thin = with_figures(size=(2000, 3000), classes=THIN.classes)
    assert picture_rules.choose_scale(thin, UNET, CPU).value == (3000, 2000)


@pytest.mark.parametrize(
    "scale, network, machine, crop",
    [
        ((480, 360), FPN, CPU, (320, 320)),
        ((512, 256), FPN, CPU, (256, 512)),  # the whole picture
        ((2000, 300), FPN, CPU, (288, 352)),
        ((300, 2000), FPN, CPU, (352, 288)),
        ((565, 584), UNET, CPU, (256, 256)),
        ((2048, 1024), FPN, GPU, (512, 512)),
        ((20, 20), FPN, CPU, (32, 32)),
    ],
)
def test_crop(scale, network, machine, crop):
    assert picture_rules.choose_crop(PLAIN, scale, network, machine).value == crop


def test_flips_follow_names_and_places():
    square, wide = (64, 64), (64, 128)
    still = with_figures(top_bottom=0.1, turn=0.1)
    assert picture_rules.choose_flips(PLAIN, square).value == "horizontal"
    assert picture_rules.choose_flips(still, square).value == "turns"
    assert picture_rules.choose_flips(still, wide).value == "all"
    assert picture_rules.choose_flips(with_figures(top_bottom=0.1, turn=0.3), square).value == "all"
    for name in ("left_hand", "lane right", "Right-Lung"):
        assert picture_rules.choose_flips(with_figures(classes=(of_class(name),)), square).value == "none"
    for name in ("bright", "leftover"):
        assert picture_rules.choose_flips(with_figures(classes=(of_class(name),)), square).value == "horizontal"


def test_the_limit_of_still_classes_is_wider_for_few_pictures():
    assert picture_rules.still_limit(25) == pytest.approx(0.2)
    assert picture_rules.still_limit(250_000) == pytest.approx(0.101)


def test_scales_follow_the_spread_of_the_objects_and_the_passes():
    same = with_figures(classes=(of_class("cell", size_spread=1.5),))
    assert picture_rules.choose_scale_range(same, 100, FPN).value == (0.9, 1.1)
    assert picture_rules.choose_scale_range(PLAIN, 29, FPN).value == (0.8, 1.25)
    assert picture_rules.choose_scale_range(PLAIN, 30, FPN).value == (0.75, 1.75)
    assert picture_rules.choose_scale_range(PLAIN, 30, UNET).value == (0.8, 1.25)
    without_objects = with_figures(classes=(of_class("sky", num_objects=3),))
    assert picture_rules.choose_scale_range(without_objects, 30, FPN).value == (0.75, 1.75)


def test_colours_are_distorted_in_long_runs_and_hues_only_if_there_are_several():
    assert picture_rules.choose_colors(PLAIN, 29).value is None
    assert picture_rules.choose_colors(PLAIN, 30).value == {"brightness_delta": 30}
    for figures in (with_figures(hue_spread=0.1), with_figures(saturation=0.05)):
        assert picture_rules.choose_colors(figures, 30).value["hue_delta"] == 1
    faint = with_figures(color_std=(14.0, 14.0, 14.0))
    assert picture_rules.choose_colors(faint, 30).value == {"brightness_delta": 7}


def test_the_lovasz_loss_is_added_if_a_class_has_less_than_half_of_an_equal_share():
    even = with_figures(classes=(of_class("a", 0.75), of_class("b", 0.25)))
    rare = with_figures(classes=(of_class("a", 0.76), of_class("b", 0.24)))
    assert picture_rules.choose_loss(even, CPU).value is None
    assert picture_rules.choose_loss(rare, CPU).value == 2
    assert picture_rules.choose_loss(rare, GPU).value == 1


def test_rare_crops_need_a_very_rare_class_and_many_passes():
    rare = with_figures(classes=(of_class("a", 0.985), of_class("b", 0.015), of_class("never", 0.0)))
    assert picture_rules.choose_rare_crops(rare, 30).value == 0.5
    assert picture_rules.choose_rare_crops(rare, 29).value == 0
    assert picture_rules.choose_rare_crops(PLAIN, 100).value == 0


def test_pictures_are_normalised_by_their_own_colours_unless_weights_are_pretrained():
    assert picture_rules.choose_normalisation(PLAIN, False).value == ((110, 112, 108), (60, 61, 59))
    assert picture_rules.choose_normalisation(PLAIN, True).value[0] == (123.675, 116.28, 103.53)
