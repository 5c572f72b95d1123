"""The verdict map: its cells, its curve, its sentence, its page."""

import numpy as np
import pandas as pd
import pytest
from altair import VConcatChart
from streamlit.testing.v1 import AppTest

import charts
import curves
import export
from charts import EpochSettings, VerdictPanel, verdict_figure, verdict_words
from describe_verdicts import known, strip, summary
from ibcore import verdict_map
from tests.core.test_architecture import ROOT
from tests.core.test_verdicts import EPOCHS, ladder

from .test_charts import marks
from .test_pages import tables, texts

SETTINGS = EpochSettings(("one", "two", "three"), tuple(EPOCHS))


def panel(run="tanh", replicates=8, current=30):
    curves = ladder(replicates).assign(i_ty=0.5, saturated=False)
    return VerdictPanel(run, "Binning", "n_bins", verdict_map(curves, "n_bins"), curves, current)


def figure():
    rows = [[panel(), panel("again", current=None)], [panel("ReLU")]]
    return charts.plain(verdict_figure(rows, SETTINGS))


def test_a_cell_for_every_layer_and_value_with_a_dot_where_it_compresses():
    spec = figure()
    cells = pd.DataFrame(spec["datasets"]["cells"])
    assert len(cells) == 3 * 6
    first = cells[cells["panel"] == 0]
    expected = panel().verdicts
    np.testing.assert_allclose(first["drop"], expected["drop"])
    assert first["sure"].tolist() == (expected["verdict"] == "compresses").astype(int).tolist()
    dots = [m for m in marks(spec) if m["marktype"] == "symbol"]
    assert sum(len(m["items"]) for m in dots) == 3 * 3 + 1, "and the one of the key"


def test_the_curve_at_first_is_that_of_the_largest_sure_drop():
    spec = figure()
    chosen = spec["datasets"]["labels"][0]["first"]
    cells = pd.DataFrame(spec["datasets"]["cells"]).set_index("id")
    assert cells.loc[chosen, "drop"] == cells.loc[cells["sure"] == 1, "drop"].max()
    curve = pd.DataFrame(spec["datasets"]["curves"])
    curve = curve[curve["id"] == chosen]
    layer, value = cells.loc[chosen, ["layer", "value"]]
    own = ladder()
    own = own[(own["layer"] == layer) & (own["n_bins"] == value)]
    means = own.groupby("epoch")["i_xt"].mean()
    np.testing.assert_allclose(curve["i_xt"], means, atol=1e-3)
    (line,) = [m for m in marks(spec) if m["marktype"] == "line" and m["role"] == "mark"]
    assert len(line["items"]) == len(EPOCHS)


def test_the_current_value_is_outlined_where_there_is_one():
    assert figure()["datasets"]["now"] == [{"panel": 0, "value": 30}, {"panel": 2, "value": 30}]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_valid_and_becomes_every_kind_of_file(theme):
    settings = EpochSettings(("one", "two", "three"), tuple(EPOCHS), theme)
    spec = verdict_figure([[panel()]], settings)
    whole = charts.plain(spec)
    VConcatChart.validate({**whole, "datasets": {name: [] for name in whole["datasets"]}})
    assert export.to_png(spec, ["caption"]).startswith(b"\x89PNG")
    assert export.to_pdf(spec, ["caption"]).startswith(b"%PDF")


def test_without_a_cell_there_is_no_figure():
    curves = ladder().assign(i_ty=0.5, saturated=False)
    short = curves[curves["epoch"] < 5]
    empty = VerdictPanel("short", "Binning", "n_bins", verdict_map(short, "n_bins"), short)
    with pytest.raises(ValueError, match="8 checkpoints"):
        verdict_figure([[empty]], SETTINGS)


def test_a_verdict_in_words_has_its_interval():
    table = panel().verdicts
    sure = table[table["verdict"] == "compresses"].iloc[0]
    words = f"compresses by {sure['drop']:.2f} bits [{sure['drop_lower']:.2f}, "
    assert verdict_words(sure).startswith(words)
    none = table[table["verdict"] == "none"].iloc[0]
    assert verdict_words(none).startswith("no compression beyond doubt; drop")
    few = panel(replicates=3).verdicts.iloc[0]
    assert verdict_words(few).startswith("too few replicates for a verdict; drop")


def test_the_sentence_sums_the_map_up():
    said = summary("tanh", panel().verdicts, "n_bins", ("a", "b", "c")).replace("\\", "")
    assert said == (
        "**tanh**: compression at every value, so robust here, in a; compression that depends on"
        " the value in b (from 30 bins on); absent in c."
    )
    assert "too few replicates" in summary("x", panel(replicates=3).verdicts, "n_bins", SETTINGS)


def test_an_exact_run_is_summed_up_by_counting_alone():
    found = {1: ("untold", []), 2: ("robust", [8, 9]), 3: ("absent", [])}
    said = known("mine", found, ("a", "b", "c"))
    assert "known exactly: compression in b; none beyond doubt in a, c.**" in said


def test_a_saturated_layer_is_not_told_unless_counting_is_exact():
    full = panel().verdicts.iloc[[0, 4]].assign(saturated=True)
    names = ("a", "b", "c")
    assert "of layer 3 it cannot be told" in strip(full, names, "x")
    assert "layer 3 keep all but half a bit" in strip(full, names, "x", exact=True)


def test_the_strip_of_one_estimator_names_what_compresses():
    one = panel().verdicts
    at_30, at_10 = (one[one["n_bins"] == value] for value in (30, 10))
    said = strip(at_30, ("a", "b", "c"), "30 bins").replace("\\", "")
    first = at_30.iloc[0]
    interval = f"[{first['drop_lower']:.1f}, {first['drop_upper']:.1f}]"
    assert said.startswith(f"30 bins: **layer a compresses by {first['drop']:.1f} bits {interval}")
    assert "; layer b compresses" in said
    assert said.endswith("for the others it is not beyond doubt.")
    assert "layer b" not in strip(at_10, ("a", "b", "c"), "10 bins")
    assert "no layer compresses" in strip(at_10.iloc[2:], ("a", "b", "c"), "10 bins")
    assert "too few replicates" in strip(panel(replicates=3).verdicts, ("a", "b", "c"), "x")
    assert strip(one[:0], (), "x") == ""


class FakeJob:
    """A worker that has only begun."""

    state, active, busy, cancelled, notices, progress = "running", True, True, False, (), None


@pytest.fixture
def page(own_cache):
    def opened(**link):
        at = AppTest.from_file(str(ROOT / "app" / "pages.py"), default_timeout=60)
        at.run()
        for key, value in link.items():
            at.query_params[key] = value
        return at.switch_page("views/verdicts.py").run()

    return opened


def test_the_bundled_runs_differ_as_the_papers_say_and_the_limits_decide_for_relu(page):
    at = page(preset="saxe-tanh", limits="range")
    assert not at.exception
    assert not at.error
    said = texts(at.markdown).replace("**", "")
    assert "robust here, in layer 5" in said
    relu = said[said.index("Saxe: ReLU: ") :]
    assert "Binning on the range of the run: absent in every layer" in relu
    assert "no compression by any of them in layer 1" in relu
    assert "depends on the estimator or its value in layer 6" in relu
    cells = tables(at)["cells"]
    binned = cells[(cells["panel"] == 0) & (cells["layer"] == 5)]
    assert binned["sure"].all()
    at.selectbox(key="limits").set_value("fixed").run()
    said = texts(at.markdown).replace("**", "")
    relu = said[said.index("Saxe: ReLU: ") :]
    assert "Binning on [-1, 1]: compression that depends on the value" in relu
    assert "lie beyond the limits" in texts(at.warning)


def test_the_run_beside_can_be_another_one_or_none(page):
    at = page(preset="saxe-tanh", versus="none")
    assert tables(at)["cells"]["panel"].nunique() == 2
    at.selectbox(key="versus").set_value("original-code").run()
    assert tables(at)["cells"]["panel"].nunique() == 4
    assert at.query_params["versus"] == "original-code"


def test_any_estimators_may_stand_side_by_side_and_one_worker_works_at_a_time(page, monkeypatch):
    asked = []
    monkeypatch.setattr(curves, "ask", lambda shown, key, *_: asked.append(key) or FakeJob())
    at = page(preset="saxe-tanh", versus="none", maps="gaussian,binning,renyi")
    assert tables(at)["cells"]["panel"].nunique() == 1
    assert len(set(asked)) == 1
    assert "'family': 'gaussian'" in asked[0]
    assert "Next in turn: This run (tanh), Matrix" in texts(at.caption).replace("\\", "")
    at.multiselect(key="maps").set_value(["kde"]).run()
    assert tables(at)["cells"]["panel"].nunique() == 1
    assert at.query_params["maps"] == "kde"
    at.multiselect(key="maps").set_value([]).run()
    assert not at.exception
    assert "Choose an estimator" in texts(at.info)
