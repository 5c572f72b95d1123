"""The laws of mutual information are found broken where, and by how much, they are."""

import numpy as np
import pandas as pd

from ibcore.checks import violations


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
