"""The laws of mutual information are found broken where, and by how much, they are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibcore import plane as plane_module
from ibcore.checks import beyond_limits, broken_laws, violations
from ibcore.estimators import KDE, Binning, Quantised, label_entropy
from ibcore.experiment import Network, Task
from ibcore.plane import information_plane, outside_limits
from ibcore.view import View

from .test_run import tiny, trained


def plane(i_xt, i_ty, saturated=None, replicates=3):
    """A table from (L, K) values; replicates lie evenly around them."""
    rows = []
    for layer, (across, up) in enumerate(zip(i_xt, i_ty, strict=True), start=1):
        for epoch, (x, y) in enumerate(zip(across, up, strict=True)):
            full = bool(saturated and (layer, epoch) in saturated)
            for r in range(replicates):
                shift = 0.3 * (r - 1)
                rows.append((epoch, layer, r, x + shift, y + shift, full))
    names = ["epoch", "layer", "replicate", "i_xt", "i_ty", "saturated"]
    return pd.DataFrame(rows, columns=names)


def test_a_chain_that_keeps_the_laws_has_no_violation():
    found = violations(
        plane([[5, 4], [4, 4], [3, 3.96]], [[0.9, 0.9], [0.9, 0.8], [0.2, 0.3]]), 12, 1
    )
    assert found.empty
    assert list(found.columns) == ["kind", "layer", "epoch", "bits", "share"]


def test_every_broken_law_is_named_with_layer_epoch_and_amount():
    i_xt = [[5.0, 4.0, 3.0], [4.0, 5.5, 3.5], [4.0, 2.0, 2.0]]
    i_ty = [[0.5, 0.5, 1.2], [0.4, 0.6, 0.5], [0.2, 0.2, 0.2]]
    found = violations(plane(i_xt, i_ty, {(1, 1), (1, 2)}), 5.25, 1.0)
    by_kind = {(row.kind, row.layer): row for row in found.itertuples()}
    assert set(by_kind) == {
        ("i_xt rises", 2),
        ("i_ty rises", 2),
        ("i_xt beyond H(X)", 2),
        ("i_ty beyond H(Y)", 1),
        ("saturated", 1),
    }
    rise = by_kind["i_xt rises", 2]
    assert (rise.epoch, rise.share) == (1, 2 / 3)
    np.testing.assert_allclose(rise.bits, 1.5)
    np.testing.assert_allclose(by_kind["i_ty rises", 2].bits, 0.1)
    np.testing.assert_allclose(by_kind["i_xt beyond H(X)", 2].bits, 0.25)
    np.testing.assert_allclose(by_kind["i_ty beyond H(Y)", 1].bits, 0.2)
    assert by_kind["saturated", 1].share == 2 / 3


def test_a_replicate_that_ended_early_breaks_nothing():
    table = plane([[5, 4], [4, 3]], [[0.9, 0.9], [0.9, 0.8]])
    lost = table[(table["epoch"] < 1) | (table["replicate"] < 2)]
    assert violations(lost, 12, 1).empty
    only_first = table[(table["epoch"] < 1)]
    assert violations(only_first, 12, 1).empty


def test_limits_are_looked_at_wherever_there_are_any():
    run = trained(tiny(network=Network("5-3", "relu")))
    limits = (-1.0, 1e-3)
    for estimator in (Binning(7, limits), Quantised(3, limits)):
        found = beyond_limits(run, estimator, View())
        shares = np.stack([outside_limits(run, estimator, k) for k in range(len(run.epochs))])
        assert found.share == shares.max()
        k = run.epochs.tolist().index(found.epoch)
        assert shares[k, found.layer - 1] == shares.max()
        assert found.layers == tuple(np.flatnonzero(shares.max(axis=0) > 0.01) + 1)
        assert str(found).startswith(f"{found.share:.0%} of the activations in layer {found.layer}")
    for estimator in (Binning(7, "range"), Binning(width=0.1, limits=limits), KDE(), Quantised()):
        assert beyond_limits(run, estimator, View()) is None


def test_what_the_activation_bounds_is_not_computed(monkeypatch):
    run = trained(tiny())
    monkeypatch.setattr(plane_module, "sound_pieces", None)
    assert beyond_limits(run, Binning(7, (-1.0, 1.0)), View()) is None
    with pytest.raises(TypeError):
        beyond_limits(run, Binning(7, (-0.9, 1.0)), View())


def test_of_a_large_run_some_samples_tell_what_lies_beyond(monkeypatch):
    digits = Task("digits", train_fraction=0.1)
    run = trained(tiny(digits, Network("conv2k3-4", "relu"), checkpoints=2))
    seen = []

    def outside(run, estimator, k, *, view):
        seen.append(view.subset)
        return outside_limits(run, estimator, k, view=view)

    few = Binning(7, (-1.0, 0.1))
    assert " samples " not in str(beyond_limits(run, few, View("test"), outside=outside))
    half = run.n_samples("test") // 2
    for many, n in ((run.n_activations("test") // 2, half), (1, 16)):
        monkeypatch.setattr("ibcore.checks.MANY", many)
        found = beyond_limits(run, few, View("test"), outside=outside)
        assert f"of the activations of {n} samples in layer" in str(found)
    assert seen == [None, None, half, half, 16, 16]


def test_the_laws_of_a_plane_are_those_of_its_samples():
    run = trained(tiny())
    plane = information_plane(run, Binning(9999), samples="train")
    index = run.sample_index("train")[0]
    h_x, h_y = label_entropy(run.dataset.x_ids[index]), label_entropy(run.dataset.y[index])
    expected = violations(plane, h_x, h_y)
    pd.testing.assert_frame_equal(broken_laws(run, View("train"), plane), expected)
    assert len(expected)


values = st.floats(-1, 3, width=16)


@given(
    arrays(np.float16, (3, 4), elements=values),
    arrays(np.float16, (3, 4), elements=values),
    st.sets(st.tuples(st.integers(1, 3), st.integers(0, 3))),
    st.integers(0, 4),
)
def test_the_laws_equal_their_slow_twin(i_xt, i_ty, saturated, lost_at):
    """A kind and layer is named where a mean breaks the law, at its worst or first checkpoint."""
    table = plane(i_xt.tolist(), i_ty.tolist(), saturated)
    table = table[(table["replicate"] > 0) | (table["epoch"] < lost_at)]
    found = {(row.kind, row.layer): row for row in violations(table, 2, 1).itertuples()}
    mean = table.groupby(["layer", "epoch"]).mean()
    expected = {}
    for layer in (1, 2, 3):
        here = mean.loc[layer]
        before = mean.loc[layer - 1] if layer > 1 else here
        excesses = {
            "i_xt rises": here["i_xt"] - before["i_xt"],
            "i_ty rises": here["i_ty"] - before["i_ty"],
            "i_xt beyond H(X)": here["i_xt"] - 2,
            "i_ty beyond H(Y)": here["i_ty"] - 1,
            "saturated": (here["saturated"] > 0.5).astype(float),
        }
        expected |= {(kind, layer): row for kind, row in excesses.items() if (row > 0.05).any()}
    assert found.keys() == expected.keys()
    for at, row in expected.items():
        worst = row[found[at].epoch]
        np.testing.assert_allclose(worst, row.max(), atol=1e-9)
        np.testing.assert_allclose(found[at].share, (row > 0.05).mean())
        if at[0] == "saturated":
            assert found[at].epoch == min(epoch for layer, epoch in saturated if layer == at[1])
        else:
            np.testing.assert_allclose(found[at].bits, worst, atol=1e-9)
