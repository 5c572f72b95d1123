"""Tables of the run on the screen: what is known, what is computed at once, what is asked for."""

import numpy as np
import pandas as pd
import pytest

import curves
import runs
from ibcore import KDE, Binning, View, information_plane
from tests.core.test_run import tiny, trained

pytestmark = pytest.mark.usefixtures("own_cache")
VIEW = View("test", 100)


@pytest.fixture
def asked(monkeypatch):
    """The requests to workers, of which none is started."""
    requests = {}
    monkeypatch.setattr(
        curves,
        "ask",
        lambda shown, key, request, unkept: requests.setdefault(key, request) and None,
    )
    return requests


def shown(origin="cached"):
    run = trained(tiny())
    return runs.Shown(run, origin, run.experiment)


def expected(estimator, *epochs):
    table = information_plane(shown().run, estimator, **vars(VIEW))
    return table[table["epoch"].isin(epochs)].reset_index(drop=True)


def assert_estimates(table, expected):
    """Equal up to the rounding of what estimates are differences of.

    These are entropies of up to log2 N bits from kernels in single precision, whose last bits
    depend on what else is computed with them: a ladder squares the kernels of one variance.
    """
    rounding = np.finfo(np.float32).eps * np.log2(VIEW.subset)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-6, atol=rounding)


@pytest.mark.parametrize("estimator", [KDE(0.1), Binning(10, "range")])
def test_some_epochs_are_asked_for_and_then_known(estimator, asked):
    first = curves.at_epochs(shown(), estimator, VIEW, (0, 4, 77))
    assert first.whole == isinstance(estimator, Binning), "what is quick is there at once"
    ((key, request),) = asked.items()
    assert (request["epochs"], request["view"]) == ([0, 4], vars(VIEW))
    ladder = request["values"]
    runs.store().curves(shown().run, estimator, ladder, view=VIEW, only=[0, 3])
    found = curves.at_epochs(shown(), estimator, VIEW, (4, 0))
    assert (found.whole, found.job) == (True, None)
    for table in [found.table] + [first.table] * first.whole:
        table = table.reset_index(drop=True)
        assert_estimates(table, expected(estimator, 0, 4))
    assert list(asked) == [key]
    curves.at_epochs(shown(), estimator, View("test", 50), (0, 4))
    curves.at_epochs(shown(), estimator, VIEW, (0, 1))
    assert len(asked) == 3, "another view and other epochs are other work"


def test_at_a_run_in_training_the_epochs_that_are_there_are_estimated(asked):
    found = curves.at_epochs(shown("live"), KDE(0.1), VIEW, (4, 100))
    assert_estimates(found.table, expected(KDE(0.1), 4))
    assert found.whole
    assert asked == {}


def test_the_value_on_the_slider_is_there_before_the_ladder(asked):
    run, estimator = shown().run, KDE(0.1)
    assert not curves.plane(shown(), estimator, VIEW).whole
    ((_, request),) = asked.items()
    assert (request["first"], request["values"]) == (0.1, list(estimator.default_ladder))
    runs.store().curves(run, estimator, estimator.default_ladder, view=VIEW, only=[0, 1])
    begun = curves.plane(shown(), estimator, VIEW)
    assert (begun.whole, sorted(begun.table["epoch"].unique())) == (False, [0, 1])
    runs.store().curves(run, estimator, [0.1], view=VIEW)
    found = curves.plane(shown(), estimator, VIEW)
    assert found.whole
    table = found.table.reset_index(drop=True)
    assert_estimates(table, expected(estimator, 0, 1, 2, 4))
    assert len(asked) == 1, "the ladder is the same work wherever one stands on it"


def test_a_run_in_training_is_left_alone_after_a_look(monkeypatch, asked):
    looks, clock = [], [0.0]

    def look(*_):
        clock[0] += 1.0
        looks.append(clock[0])
        return curves.Curves(pd.DataFrame({"look": looks}), False)

    monkeypatch.setattr(curves.st, "session_state", {})
    monkeypatch.setattr(curves, "_in_time", look)
    monkeypatch.setattr(curves.time, "monotonic", lambda: clock[0])
    for _ in range(40):
        curves.plane(shown("live"), KDE(0.1), VIEW)
        clock[0] += 0.5
    assert 0.15 < len(looks) / clock[0] < 0.25, "a second of work in five or so"
    before = len(looks)
    curves.plane(shown("live"), KDE(0.2), VIEW)
    assert len(looks) == before + 1, "another value is looked at once"
