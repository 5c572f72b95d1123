"""The map of verdicts is compression at every cell, and its summary is what the cells say."""

import numpy as np
import pandas as pd
import pytest

from ibcore.phases import compression
from ibcore.verdicts import robustness, together, verdict_map

from .test_events import EPOCHS, U, tidy


def ladder(replicates=8, drops=((0.5, 0.5), (0.0, 0.5), (0.0, 0.0))):
    """Curves of a layer per row, a value per column of `drops`: what they fall by at the end."""
    rng, parts = np.random.default_rng(0), []
    for layer, row in enumerate(drops, start=1):
        for value, drop in zip((10, 30), row, strict=True):
            mean = 5 + np.minimum(U, 0.5) - 2 * drop * np.maximum(U - 0.5, 0)
            curves = mean + rng.normal(0, 0.02, (replicates, len(EPOCHS)))
            parts.append(tidy("i_xt", curves, layer).assign(n_bins=value, saturated=False))
    return pd.concat(parts, ignore_index=True)


def test_every_cell_is_the_compression_of_its_curves():
    curves = ladder()
    found = verdict_map(curves, "n_bins").set_index(["layer", "n_bins"])
    assert len(found) == 6
    for (layer, value), row in found.iterrows():
        cell = curves[(curves["layer"] == layer) & (curves["n_bins"] == value)]
        wide = cell.pivot(index="replicate", columns="epoch", values="i_xt").to_numpy()
        expected = compression(wide, EPOCHS)
        assert row["drop"] == expected.drop
        assert (row["drop_lower"], row["drop_upper"]) == (expected.drop_lower, expected.drop_upper)
        assert row["verdict"] == expected.verdict
    assert found.loc[(2, 30), "drop"] == pytest.approx(0.5, abs=0.1)


def test_a_replicate_that_ended_early_is_left_out():
    curves = ladder()
    lost = curves[(curves["replicate"] > 0) | (curves["epoch"] < EPOCHS[-2])]
    without = curves[curves["replicate"] > 0]
    pd.testing.assert_frame_equal(verdict_map(lost, "n_bins"), verdict_map(without, "n_bins"))


def test_the_summary_tells_the_robust_from_what_depends_and_what_is_absent():
    found = robustness(verdict_map(ladder(), "n_bins"), "n_bins")
    assert found == {1: ("robust", [10, 30]), 2: ("depends", [30]), 3: ("absent", [])}


def test_few_replicates_have_no_summary_and_few_checkpoints_no_map():
    few = verdict_map(ladder(replicates=3), "n_bins")
    assert set(few["verdict"]) == {"too few replicates"}
    assert np.isfinite(few["drop"]).all()
    assert robustness(few, "n_bins") == {}
    short = ladder()
    assert verdict_map(short[short["epoch"] < 5], "n_bins").empty


def test_saturated_values_tell_nothing_unless_it_compresses_all_the_same():
    curves = ladder()
    at_end = curves["epoch"] >= sorted(set(EPOCHS))[-3]
    full = curves.assign(saturated=at_end & ((curves["layer"] == 3) | (curves["n_bins"] == 10)))
    verdicts = verdict_map(full, "n_bins").set_index(["layer", "n_bins"])
    assert verdicts["saturated"].tolist() == [True, False, True, False, True, True]
    found = robustness(verdict_map(full, "n_bins"), "n_bins")
    assert found == {1: ("robust", [10, 30]), 2: ("robust", [30]), 3: ("untold", [])}
    early = curves.assign(saturated=~at_end)
    assert robustness(verdict_map(early, "n_bins"), "n_bins")[3] == ("absent", [])


def test_what_several_estimators_do_not_agree_on_depends():
    one = {1: ("robust", [1, 2]), 2: ("depends", [1]), 3: ("absent", []), 4: ("robust", [1])}
    other = {1: ("robust", [5]), 2: ("depends", [6]), 3: ("absent", []), 4: ("absent", [])}
    assert together([one]) == {layer: kind for layer, (kind, _) in one.items()}
    assert together([one, other]) == {1: "robust", 2: "depends", 3: "absent", 4: "depends"}
    blind = {layer: ("untold", []) for layer in one}
    assert together([one, blind]) == together([one])
    assert set(together([blind]).values()) == {"untold"}
    assert together([one, {}]) == {}
    assert together([]) == {}
