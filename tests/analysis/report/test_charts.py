import json

import numpy as np
import plotly.graph_objects as go
import pytest

from semseg.analysis.curves import Curve
from semseg.analysis.report import charts, collect, curve_charts, extra_charts, score_charts
from semseg.evaluation.results import read_results
from tests.analysis.report import folders


@pytest.fixture(scope="module")
def summary(run_dir):
    return read_results(run_dir / "test/best-toycity").summary


def plotly_accepts(figure):
    """Let Plotly look at every name and value; colours are CSS variables until the page shows them."""
    text = json.dumps(figure, allow_nan=False)
    for name in ("accent", "muted", "faint", "line", "text", "surface", "bad", "cold", "warm", "hot"):
        text = text.replace(f"var(--{name})", "rgb(1, 2, 3)")
    return go.Figure(json.loads(text.replace("var(--font)", "serif")))


def test_plotly_knows_every_property_of_every_figure(summary, run_dir, other_dir):
    other = read_results(other_dir).summary["per_class"]
    drawn = [
        *curve_charts.curve_charts(collect.read_training(run_dir).curves),
        score_charts.class_chart(summary, other),
        score_charts.confusion_chart(summary)[0],
        *extra_charts.extra_charts(summary),
    ]
    assert [chart.name for chart in drawn] == [
        "curve-loss",
        "curve-lr",
        "curve-scores",
        "classes",
        "confusion",
        "calibration",
        "calibration-classes",
        "trimap",
        "boundary",
        "sizes",
        "rows",
    ]
    for chart in drawn:
        plotly_accepts(chart.figure)
        assert chart.title and chart.summary.endswith(".")
        assert {len(row) for row in chart.rows} == {len(chart.head)}


def test_a_long_curve_is_thinned_and_smoothed_and_gaps_stay_gaps():
    values = np.sin(np.arange(5000.0))
    values[-1] = np.nan
    (chart,) = curve_charts.curve_charts({"loss": Curve(np.arange(5000), values)})
    raw, smooth = chart.figure["data"]
    assert len(raw["x"]) == 1000 and raw["y"][-1] is None
    assert np.std([y for y in smooth["y"] if y is not None]) < 0.1 < np.std(raw["y"][:-1])
    assert len(chart.rows) == 20 and chart.rows[-1] == [4999, None]


def test_the_best_validation_is_named():
    curves = {"mIoU": Curve(np.array([100, 200, 300]), np.array([40.0, 55.5, 50.0]))}
    (chart,) = curve_charts.curve_charts(curves)
    assert chart.summary == "mIoU of 3 validations; the best mIoU is 55.50 % at iteration 200."


def test_undefined_scores_have_a_dash(summary):
    rows = [dict(row, IoU=None, low=None, high=None) for row in summary["per_class"]]
    chart = score_charts.class_chart({**summary, "per_class": rows}, None)
    assert {row[1] for row in chart.rows} == {"–"}
    assert chart.summary == "No class has a defined IoU."
    plotly_accepts(chart.figure)


def test_the_confusion_matrix_is_shares_of_rows_or_pixels(summary):
    chart, variants = score_charts.confusion_chart(summary)
    share = np.square(np.array(variants["share"]["z"][:-1], float))
    np.testing.assert_allclose(share.sum(1), 100, rtol=1e-3)
    assert variants["share"]["z"][folders.TRAIN] == [None] * 8
    pixels = np.power(10, np.array(variants["pixels"]["z"])) - 1
    np.testing.assert_allclose(pixels, summary["confusion"], rtol=1e-6, atol=1e-6)
    hover = chart.figure["data"][0]["hovertext"]
    assert hover[folders.TRAIN][0] == "no pixel of train in the truth"
    assert hover[0][0].startswith(f"{share[0, 0]:.2f} % of road called road<br>")


def test_names_are_not_markup():
    assert charts.class_labels(["<b>a & b"], [[1, 2, 3]]) == [
        '&lt;b&gt;a &amp; b <span style="color:rgb(1,2,3)">■</span>'
    ]
