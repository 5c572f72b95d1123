"""The outcomes of three sentences, by hand."""

import pytest

from ibcore.claims import FAILS, HOLDS, STILL, UNTOLD, claims
from ibcore.comparison import compared

from .test_comparison import plane, without_bounds

H_X = 11.0


def judged(concat, mean=None, images=(1,)):
    tables = {"concat": compared(concat, 0, 9)}
    tables["mean"] = tables["concat"] if mean is None else compared(mean, 0, 9)
    return {claim.name: claim for claim in claims(tables, images, H_X)}


def outcome(name, *planes):
    return judged(*planes)[name].outcome


@pytest.mark.parametrize(
    ("i_xt", "width", "expected"),
    [
        (11.0, 0.4, HOLDS),
        (10.0, 0.4, FAILS),
        (10.5, 0.2, UNTOLD),
        (11.7, 0.4, UNTOLD),
        (40.0, 0.1, UNTOLD),
    ],
)
def test_the_maximum_is_within_half_a_bit_of_the_entropy_of_the_input(i_xt, width, expected):
    concat = plane([(i_xt, 3.0), (5.0, 0.0)], [(11.0, 3.0), (5.0, 2.0)], width)
    assert outcome("maximum", concat) == expected


@pytest.mark.parametrize(
    ("shift", "width", "expected"),
    [
        ((1.0, 0.0), 0.4, HOLDS),
        ((0.0, -1.0), 0.4, HOLDS),
        ((1.0, 0.0), 0.6, UNTOLD),
        ((0.9 * STILL, 0.0), 0.0, FAILS),
        ((0.9 * STILL, 0.0), 1.0, FAILS),
        ((1.1 * STILL, 0.0), 0.0, HOLDS),
    ],
)
def test_a_layer_moves_where_its_intervals_part(shift, width, expected):
    mean = plane([(6.0, 2.0), (5.0, 0.0)], [(6.0 + shift[0], 2.0 + shift[1]), (5.0, 2.0)], width)
    assert outcome("movement", mean) == expected


@pytest.mark.parametrize(
    ("after", "width", "expected"),
    [(2.0, 0.4, HOLDS), (2.0, 0.6, UNTOLD), (0.2, 0.1, FAILS), (1.01, 0.4, FAILS)],
)
def test_the_prediction_is_that_of_the_last_layer(after, width, expected):
    concat = plane([(11.0, 3.0), (5.0, 1.0)], [(11.0, 3.0), (5.0, after)], width)
    assert outcome("prediction", concat) == expected


def test_a_mark_that_stays_while_its_other_end_moves_tells_nothing():
    """The upper bound is saturated, the lower one rises: it may have moved."""
    concat = plane([(11.0, 3.0)], [(11.0, 3.0)])
    concat.loc[concat["epoch"] == 0, ["i_xt_lower", "i_ty_lower"]] = 1.0
    assert outcome("movement", concat) == UNTOLD
    assert outcome("prediction", concat) == UNTOLD


def test_where_the_input_has_one_bit_everything_is_near_its_maximum():
    concat = compared(plane([(0.0, 0.0)], [(0.0, 0.0)]), 0, 9)
    tables = {"concat": concat, "mean": concat}
    maximum, *_ = claims(tables, (1,), 1.0)
    assert maximum.outcome == UNTOLD


def test_one_network_without_bounds_tells_nothing():
    concat = without_bounds(plane([(11.0, 1.0)], [(3.0, 3.0)]))
    assert {claim.outcome for claim in judged(concat).values()} == {UNTOLD}


def test_one_layer_against_it_outweighs_those_that_leave_it_open():
    concat = plane([(11.0, 3.0), (10.5, 3.0), (9.0, 2.0)], [(11.0, 3.0)] * 3, width=0.2)
    maximum = judged(concat, images=(1, 2, 3))["maximum"]
    assert (maximum.outcome, maximum.layers, maximum.doubtful) == (FAILS, (1, 2, 3), (3,))


def test_networks_without_images_have_the_last_sentence_only():
    concat = plane([(11.0, 3.0), (5.0, 1.0)], [(11.0, 3.0), (5.0, 2.0)])
    assert list(judged(concat, images=())) == ["prediction"]
