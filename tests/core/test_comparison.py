"""Before and after training: intervals and the outcomes of three sentences, by hand."""

import numpy as np
import pandas as pd
import pytest

from ibcore.comparison import FAILS, HOLDS, STILL, UNTOLD, compared, statements

H_X = 11.0


def plane(before, after, width=0.0, replicates=1):
    """A plane of layers at epochs 0, 5, 9; pairs of I(X;T) and I(T;Y), with bounds +- width."""
    rows = []
    for epoch, values in ((0, before), (5, [(1.0, 1.0)] * len(before)), (9, after)):
        for layer, (i_xt, i_ty) in enumerate(values, start=1):
            ends = {"i_xt": i_xt, "i_xt_lower": i_xt - width, "i_xt_upper": i_xt + width}
            ends |= {"i_ty": i_ty, "i_ty_lower": i_ty - width, "i_ty_upper": i_ty + width}
            rows += [
                {"epoch": epoch, "layer": layer, "replicate": r} | ends for r in range(replicates)
            ]
    return pd.DataFrame(rows)


def outcomes(concat, mean, images=(1,)):
    found = statements(compared(concat, 0, 9), compared(mean, 0, 9), images, H_X)
    return {s.name: s.outcome for s in found}


def test_the_first_and_the_last_epoch_are_compared_layer_by_layer():
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


def test_without_bounds_the_ends_are_two_standard_errors_over_replicates():
    rows = plane([(3.0, 1.0)], [(4.0, 1.5)], replicates=4)
    rows = rows.drop(columns=[name for name in rows if name.endswith(("_lower", "_upper"))])
    rows["i_xt"] += np.tile([-0.3, -0.1, 0.1, 0.3], 3)
    table = compared(rows, 0, 9)
    error = np.std([-0.3, -0.1, 0.1, 0.3], ddof=1) / np.sqrt(4)
    assert table["i_xt_low"].tolist() == pytest.approx([3 - 2 * error, 4 - 2 * error])
    assert (table["i_ty_high"] == table["i_ty"]).all()
    assert not table["bounded"].any()
    alone = compared(rows[rows["replicate"] == 0], 0, 9)
    assert (alone["i_xt_low"] == alone["i_xt_high"]).all()


@pytest.mark.parametrize(
    ("i_xt", "width", "outcome"), [(11.0, 0.4, HOLDS), (10.0, 0.4, FAILS), (10.5, 0.2, UNTOLD)]
)
def test_the_maximum_is_half_a_bit_below_the_entropy_of_the_input(i_xt, width, outcome):
    concat = plane([(i_xt, 3.0), (5.0, 0.0)], [(11.0, 3.0), (5.0, 2.0)], width)
    assert outcomes(concat, concat)["maximum"] == outcome


@pytest.mark.parametrize(
    ("shift", "width", "outcome"),
    [
        ((1.0, 0.0), 0.4, HOLDS),
        ((0.0, -1.0), 0.4, HOLDS),
        ((1.0, 0.0), 0.6, UNTOLD),
        ((0.9 * STILL, 0.0), 0.0, FAILS),
        ((1.1 * STILL, 0.0), 0.0, HOLDS),
    ],
)
def test_a_layer_moves_where_its_bars_part(shift, width, outcome):
    mean = plane([(6.0, 2.0), (5.0, 0.0)], [(6.0 + shift[0], 2.0 + shift[1]), (5.0, 2.0)], width)
    assert outcomes(mean, mean)["movement"] == outcome


@pytest.mark.parametrize(
    ("after", "width", "outcome"),
    [(2.0, 0.4, HOLDS), (2.0, 0.6, UNTOLD), (0.2, 0.1, FAILS), (1.01, 0.4, FAILS)],
)
def test_the_prediction_is_that_of_the_last_layer(after, width, outcome):
    concat = plane([(11.0, 3.0), (5.0, 1.0)], [(11.0, 3.0), (5.0, after)], width)
    assert outcomes(concat, concat)["prediction"] == outcome


def test_one_layer_against_it_outweighs_those_that_leave_it_open():
    concat = plane([(11.0, 3.0), (10.5, 3.0), (9.0, 2.0)], [(11.0, 3.0)] * 3, width=0.2)
    maximum, *_ = statements(compared(concat, 0, 9), compared(concat, 0, 9), (1, 2, 3), H_X)
    assert (maximum.outcome, maximum.layers, maximum.telling) == (FAILS, (1, 2, 3), (3,))


def test_networks_without_images_have_the_last_sentence_only():
    concat = plane([(11.0, 3.0), (5.0, 1.0)], [(11.0, 3.0), (5.0, 2.0)])
    assert outcomes(concat, concat, images=()) == {"prediction": HOLDS}


def test_an_epoch_that_is_not_estimated_yet_has_no_rows():
    table = compared(plane([(3.0, 1.0)], [(4.0, 1.5)]), 0, 77)
    assert table["moment"].tolist() == ["before"]
    assert compared(pd.DataFrame(), 0, 9).empty
