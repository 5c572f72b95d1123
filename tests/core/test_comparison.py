"""Before and after training: means and intervals of the layers, by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from ibcore.comparison import compared


def plane(before, after, width=0.0, replicates=1):
    """A plane of layers at epochs 0, 5, 9; pairs of I(X;T) and I(T;Y), with bounds +- width."""
    rows = []
    for epoch, values in ((0, before), (5, [(1.0, 1.0)] * len(before)), (9, after)):
        for layer, (i_xt, i_ty) in enumerate(values, start=1):
            ends = {"i_xt": i_xt, "i_xt_lower": i_xt - width, "i_xt_upper": i_xt + width}
            ends |= {"i_ty": i_ty, "i_ty_lower": i_ty - width, "i_ty_upper": i_ty + width}
            place = {"epoch": epoch, "layer": layer}
            rows += [place | {"replicate": r} | ends for r in range(replicates)]
    return pd.DataFrame(rows)


def without_bounds(table):
    return table.drop(columns=[n for n in table if n.endswith(("_lower", "_upper"))])


def test_two_epochs_are_compared_layer_by_layer():
    table = compared(plane([(3.0, 1.0), (2.0, 0.5)], [(4.0, 1.5), (2.5, 2.0)], width=0.25), 0, 9)
    assert table[["moment", "layer", "epoch"]].to_numpy().tolist() == [
        ["before", 1, 0],
        ["before", 2, 0],
        ["after", 1, 9],
        ["after", 2, 9],
    ]
    assert table["i_xt"].tolist() == [3.0, 2.0, 4.0, 2.5]
    assert table["i_ty_low"].tolist() == [0.75, 0.25, 1.25, 1.75]
    assert table["bounded"].all()


def test_without_bounds_the_ends_are_students_interval_over_replicates():
    rows = without_bounds(plane([(3.0, 1.0)], [(4.0, 1.5)], replicates=4))
    rows["i_xt"] += np.tile([-0.3, -0.1, 0.1, 0.3], 3)
    table = compared(rows, 0, 9)
    half = student.ppf(0.975, 3) * np.std([-0.3, -0.1, 0.1, 0.3], ddof=1) / np.sqrt(4)
    assert table["i_xt_low"].tolist() == pytest.approx([3 - half, 4 - half])
    assert table["i_xt_high"].tolist() == pytest.approx([3 + half, 4 + half])
    assert not table["bounded"].any()


def test_no_interval_ends_below_zero():
    rows = without_bounds(plane([(0.1, 0.1)], [(0.2, 0.2)], replicates=2))
    rows["i_xt"] += np.tile([-0.1, 0.1], 3)
    assert compared(rows, 0, 9)["i_xt_low"].tolist() == [0.0, 0.0]


def test_a_single_replicate_without_bounds_has_no_interval():
    table = compared(without_bounds(plane([(3.0, 1.0)], [(4.0, 1.5)])), 0, 9)
    assert table["i_xt"].tolist() == [3.0, 4.0]
    assert table[["i_xt_low", "i_xt_high", "i_ty_low", "i_ty_high"]].isna().all(axis=None)


def test_a_replicate_that_diverged_in_between_moves_nothing():
    rows = plane([(3.0, 1.0)], [(3.0, 1.0)], replicates=2)
    rows.loc[rows["replicate"] == 1, ["i_xt", "i_xt_lower", "i_xt_upper"]] = 9.0
    table = compared(rows[(rows["replicate"] == 0) | (rows["epoch"] < 9)], 0, 9)
    assert table["i_xt"].tolist() == [3.0, 3.0]
    assert table["replicates"].tolist() == [1, 1]


def test_an_epoch_that_is_not_estimated_yet_has_no_rows():
    table = compared(plane([(3.0, 1.0)], [(4.0, 1.5)]), 0, 77)
    assert table["moment"].tolist() == ["before"]
    assert compared(pd.DataFrame(), 0, 9).empty
