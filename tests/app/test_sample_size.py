"""The sample-size check: its chart, its sentence, its box on the page."""

import numpy as np
import pandas as pd
import pytest
from altair import VConcatChart

import charts
import export
from charts import PlaneSettings, sample_size_figure
from describe_checks import settled
from ibcore import Store, View
from ibcore.sample_size import growth

from .test_pages import SMALL, opened, state, texts

SETTINGS = PlaneSettings(
    h_x=8, h_y=1, n_samples=256, layer_names=("one", "two"), epochs=(0, 1), title="epoch 1"
)


def table():
    """Layer 1 knows every sample, layer 2 one bit; subsamples differ by 0.2 bits, twice."""
    rows = [
        (n, draw, layer, r, (np.log2(n) if layer == 1 else 1.0) + 0.1 * (-1) ** draw, 0.5)
        for n, draws in ((64, 4), (128, 2), (256, 1))
        for draw in range(draws)
        for layer in (1, 2)
        for r in range(3)
    ]
    return pd.DataFrame(rows, columns=["n", "draw", "layer", "replicate", "i_xt", "i_ty"])


def test_points_are_means_and_bands_the_spread_between_subsamples_of_a_network():
    spec = charts.plain(sample_size_figure(table(), SETTINGS))
    rows = pd.DataFrame(spec["datasets"]["sizes"]).set_index(["n", "layer"])
    assert len(rows) == 3 * 2
    assert rows.loc[(64, 1), "i_xt"] == pytest.approx(6)
    spread = np.std([0.1, -0.1, 0.1, -0.1], ddof=1)
    assert rows.loc[(64, 1), "i_xt_low"] == pytest.approx(6 - spread)
    assert np.isnan(rows.loc[(256, 2), "i_xt_high"]), "one subsample has no spread"
    assert [row["log2_n"] for row in spec["datasets"]["limits"]] == [6, 7, 8]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_valid_and_becomes_a_file(theme):
    settings = PlaneSettings(8, 1, 256, ("one", "two"), (0, 1), theme=theme)
    spec = sample_size_figure(table(), settings)
    whole = charts.plain(spec)
    VConcatChart.validate({**whole, "datasets": {name: [] for name in whole["datasets"]}})
    assert export.to_png(spec, ["caption"]).startswith(b"\x89PNG")


def test_the_sentence_names_what_still_moves():
    said = settled(growth(table()), ("one", "two")).replace("\\", "")
    assert said.startswith("**Not settled**: the last doubling of N moves one (I(X;T) +1.10")
    still = table().assign(i_xt=1.0)
    assert settled(growth(still), ("one", "two")).startswith("**Settled**")
    assert "two sizes" in settled(growth(still[still["n"] == 64]), ("one", "two"))


def test_the_box_on_the_page_shows_what_a_worker_computed(own_cache):
    run = Store().train(SMALL, device="cpu")
    first = state.defaults()
    settings = state.of_experiment(SMALL) | {"samples": "train"}
    link = {k: state.as_text(v) for k, v in settings.items() if first[k] != v}
    estimator = state.estimator(first)
    Store().sample_sizes(run, len(run.epochs) - 1, estimator, view=View("train"))
    at = opened(**link)
    assert "last doubling" not in texts(at.markdown)
    at.session_state["sizes-box"] = True
    at.run()
    assert not at.exception
    assert not at.error
    assert "last doubling of N" in texts(at.markdown)
