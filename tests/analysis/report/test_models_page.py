"""The page of `model list --plot`, in a browser."""

import pytest

from semseg.analysis.model_charts import chart_page
from semseg.analysis.model_costs import Cost
from semseg.analysis.model_list import Model
from semseg.analysis.published_scores import Published

pytestmark = pytest.mark.slow


def model(name, data, miou, num_parameters):
    cost = Cost(num_parameters, (num_parameters * 1000, num_parameters * 4000))
    return Model(name, "FCNHead, ResNet", data.lower(), cost, Published(data, miou, None, None), None, "")


def test_each_cost_has_a_chart_and_a_table_without_the_network(open_page, tmp_path):
    models = [model("small", "Cityscapes", 70.5, 10**6), model("large <b>", "Cityscapes", 80, 10**8)]
    models += [model("other", "ADE20K", 41, 10**7), models[0]._replace(name="unpublished", published=None)]
    path = tmp_path / "models.html"
    path.write_text(chart_page(models))
    page = open_page(path)
    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data", "blob"}
    assert page.locator(".lead").inner_text().startswith("3 configs")
    for name, costs in (("parameters", ["1", "100", "10"]), ("macs", ["4", "400", "40"])):
        assert page.locator(f"#chart-{name} .scatterlayer .point").count() == 3
        assert page.locator(f"#chart-{name} .legendtext").all_text_contents() == ["Cityscapes", "ADE20K"]
        table = page.locator(f"#card-{name} tbody")
        assert table.locator("th").all_text_contents() == ["small", "large <b>", "other"]
        assert table.locator("td:last-child").all_text_contents() == costs
