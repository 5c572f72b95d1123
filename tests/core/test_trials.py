"""Estimators on trial: who is asked what, what an answer says, and that it is kept."""

import io
import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from ibcore import __main__ as command_line
from ibcore import estimators, trials, worker
from ibcore.estimators import ESTIMATORS, KDE, KSG, Binning, Gaussian, Information, Renyi, Sampling
from ibcore.experiment import FieldError
from ibcore.store import Store
from ibcore.theory import TRUTHS
from ibcore.trials import (
    ANOTHER,
    COLUMNS,
    CONTENDERS,
    contender,
    fitted,
    is_target,
    plan,
    seen,
    trial,
)

BINNED, NOISY = TRUTHS["tanh-1"], TRUTHS["cube-12"]


def test_every_estimator_of_the_registry_stands_trial():
    assert {type(estimator) for estimator in CONTENDERS} == set(ESTIMATORS.values())
    assert len({contender(estimator) for estimator in CONTENDERS}) == len(CONTENDERS)
    assert contender(Binning(null=20)) == "binning null=20"
    assert contender(KDE()) == "kde"


def test_an_estimator_is_set_to_the_case_where_it_can_be():
    assert fitted(BINNED, Binning(7, "rank", null=20)).limits == (-1.0, 1.0)
    assert fitted(BINNED, Binning(width=0.2)) == fitted(BINNED, Binning())
    assert fitted(NOISY, KDE(0.1)) == KDE(1.0)
    assert fitted(NOISY, Gaussian()) == Gaussian(1.0)
    assert fitted(NOISY, Sampling()).variance == 1.0
    assert fitted(BINNED, KDE(0.1)) == KDE(0.1)
    assert fitted(NOISY, Renyi(1.5)) == Renyi(1.5)


def test_only_the_case_s_own_question_has_an_error():
    asked = [trial(NOISY, estimator, 64, 0) for estimator in CONTENDERS]
    asked += [trial(BINNED, estimator, 64, 0) for estimator in CONTENDERS]
    for row in asked:
        assert tuple(row) == COLUMNS
        assert row["target"] == (row["note"] != ANOTHER) == math.isfinite(row["error"])
        assert math.isfinite(row["estimate"])
        assert row["seconds"] > 0
        if row["target"]:
            assert row["error"] == pytest.approx(row["estimate"] - row["truth"], abs=1e-12)
    assert {row["family"] for row in asked if row["target"]} == {
        "binning",
        *("kde", "sampling", "gaussian", "ksg"),
    }


def test_neighbours_are_shown_the_noise_and_find_it():
    """A Gaussian pair has a density, so that the neighbours know its information."""
    pair = TRUTHS["gaussian-pair-0.9"]
    t, _, _ = pair.sample(2000, 1)
    noisy, points = seen(pair, KSG(), t, 1)
    assert np.array_equal(points["inputs"], t)
    assert np.var(noisy - t) == pytest.approx(pair.variance, rel=0.1)
    assert np.corrcoef(t[:, 0], (noisy - t)[:, 0])[0, 1] == pytest.approx(0, abs=0.07)
    found = [trial(pair, KSG(), 2000, seed) for seed in range(4)]
    assert np.mean([row["error"] for row in found]) == pytest.approx(0, abs=0.1)
    assert seen(pair, KDE(), t, 1)[1] == seen(BINNED, KDE(), t, 1)[1] == {}
    assert seen(BINNED, KSG(), t, 1)[0] is t


def test_noise_of_the_estimator_is_not_the_sample_again():
    """X ~ N(0, 1) drawn with a seed, and noise drawn with the same one, are one number.

    The sum then tells 0.4 bits too many; the answer is within 4 standard errors.
    """
    for seed in range(3):
        row = trial(TRUTHS["gaussian-noise"], Sampling(), 2000, seed)
        assert abs(row["error"]) < 4 * row["se"]


def test_a_refusal_is_a_row_with_its_reason(monkeypatch):
    """A later estimator that wants points of X, and finds nothing there to estimate."""

    @dataclass(frozen=True)
    class Fussy:
        k: int = 4
        needs_inputs = True
        label = "Fussy"

        def information(self, t, y, x=None, *, inputs):
            assert t.shape == inputs.shape
            if self.k == 4:
                raise ValueError("inputs: too\nmany ties")
            return Information(i_xt=math.inf, i_ty=math.inf)

    monkeypatch.setitem(estimators.ESTIMATORS, "fussy", Fussy)
    row = trial(NOISY, Fussy(), 64, 0)
    assert (row["target"], row["note"]) == (True, "inputs: too many ties")
    assert math.isnan(row["estimate"])
    assert trial(NOISY, Fussy(3), 64, 0)["note"] == "the estimate is inf"
    kept = trials.summary(trials.trials([NOISY], [Fussy(), KDE()], 64, range(2)))
    assert kept["note"].tolist() == ["inputs: too many ties", ""]
    assert kept["seeds"].tolist() == [0, 2]


def test_the_table_goes_seed_by_seed_and_stops_when_told():
    heard = []
    table = trials.trials(
        [BINNED, NOISY],
        [Binning(), KDE()],
        64,
        range(3),
        progress=lambda done, total: heard.append((done, total)),
        should_stop=lambda: len(heard) == 6,
    )
    assert table["seed"].tolist() == [0, 0, 0, 0, 1, 1]
    assert table["case"].tolist()[:4] == ["tanh-1", "tanh-1", "cube-12", "cube-12"]
    assert heard == [(done, 12) for done in range(1, 7)]
    assert list(trials.trials([], [], 64, [])) == list(COLUMNS)


def test_the_summary_is_the_mean_over_seeds():
    table = trials.trials([BINNED], [Binning()], 256, range(4))
    (row,) = trials.summary(table).to_dict("records")
    assert row["estimate"] == pytest.approx(table["estimate"].mean())
    assert row["sd"] == pytest.approx(np.std(table["estimate"], ddof=1))
    assert row["seeds"] == 4
    one = trials.summary(table.iloc[:1])
    assert np.isnan(one["sd"].iloc[0])


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("n", lambda: plan([NOISY], [KDE()], 0, [0])),
        ("seed", lambda: plan([NOISY], [KDE()], 64, [-1])),
        ("seeds", lambda: trials.seeds(0)),
        ("seeds", lambda: trials.seeds(True)),
    ],
)
def test_wrong_questions_are_refused_before_any_is_asked(field, ask):
    with pytest.raises(FieldError, match=f"^{field}: "):
        ask()


def test_an_answer_is_kept_and_no_other_is_taken_for_it(tmp_path, monkeypatch):
    store = Store(tmp_path)
    questions = plan([BINNED, NOISY], [Binning(), Binning(null=20), KDE()], 64, range(2))
    first = store.tried(questions)
    assert all(map(store.has_trial, questions))
    assert not any(map(store.has_trial, plan([NOISY], [KDE()], 65, [0])))
    monkeypatch.setattr(trials.Trial, "row", None)
    pd.testing.assert_frame_equal(Store(tmp_path).tried(questions), first)


def served(folder, monkeypatch, **changes):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(folder))
    request = {"job": "trials", "cases": ["tanh-1"], "n": 64, "seeds": 2}
    request |= {"estimators": [estimators.to_dict(e) for e in (Binning(), KDE())]} | changes
    events = io.StringIO()
    with io.StringIO(json.dumps(request) + "\n") as requests:
        # Its end is the sign to stop.
        monkeypatch.setattr(worker, "_wait_for_end", lambda *_: None)
        worker.serve(requests, events)
    return [json.loads(line) for line in events.getvalue().splitlines()]


def test_the_worker_answers_what_is_missing(tmp_path, monkeypatch):
    Store(tmp_path).tried(plan([BINNED], [Binning()], 64, [0]))
    *progress, last = served(tmp_path, monkeypatch)
    assert [event["done"] for event in progress] == [1, 2, 3]
    assert {event["total"] for event in progress} == {3}
    assert progress[-1]["seconds_left"] == 0
    assert last == {"event": "done", "complete": True}
    assert served(tmp_path, monkeypatch) == [{"event": "done", "complete": True}]
    assert all(map(Store(tmp_path).has_trial, plan([BINNED], [Binning(), KDE()], 64, [0, 1])))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cases": ["none"]}, "case"),
        ({"cases": [[]]}, "case"),
        ({"n": 0}, "n"),
        ({"n": "64"}, "n"),
        ({"seeds": 0}, "seeds"),
        ({"estimators": [{"family": "none"}]}, "estimator"),
    ],
)
def test_the_worker_names_what_is_wrong(changes, field, tmp_path, monkeypatch):
    (event,) = served(tmp_path, monkeypatch, **changes)
    assert (event["event"], event["field"]) == ("error", field)


def test_the_command_line_writes_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path))
    words = ["trials", "--n", "64", "--seeds", "2", "--case", "xor-one", "--case", "cube-12"]
    assert command_line.main([*words, "--out", str(tmp_path / "t.csv")]) == 0
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table) == list(COLUMNS)
    assert len(table) == 2 * 2 * len(CONTENDERS)
    capsys.readouterr()
    assert command_line.main(["trials", "--case", "none"]) == 2
    assert capsys.readouterr().err.startswith("ibcore: case: 'none' is not allowed; use one of")


def test_what_is_asked_is_read_off_the_fields():
    assert all(is_target(BINNED, e) == (e.__class__ is Binning) for e in CONTENDERS)
