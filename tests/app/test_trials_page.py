"""Estimators on trial: its figures, its words, its page."""

import math
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import describe_trials
import export
import jobs
from charts import TrialSettings, gain_figure, squash_figure, trial_figure, trial_map
from ibcore.__main__ import _parser
from ibcore.store import Store
from ibcore.theory import TRUTHS
from ibcore.theory.three_neurons import bits, gain_curves, information, squashed
from ibcore.trials import CONTENDERS, plan, summary, trials
from tests.core.test_architecture import ROOT

from .test_charts import marks
from .test_charts import texts as words
from .test_pages import tables, texts

SETTINGS = TrialSettings(heading="What is asked")


def answers(cases=("cube-12",), count=3, n=64):
    table = trials([TRUTHS[case] for case in cases], CONTENDERS, n, range(count))
    names, titles = describe_trials.contender_names(), describe_trials.case_titles()
    found = summary(table)
    named = found.assign(name=found["estimator"].map(names), title=found["case"].map(titles))
    return table, named


def test_the_figure_has_the_truth_every_seed_and_the_bounds():
    table, found = answers()
    figure = trial_figure(table, found, SETTINGS)
    drawn = marks(figure)
    (bounds,) = [m for m in drawn if m["marktype"] == "rect" and len(m["items"]) == 1]
    kde = found[found["name"] == "KDE"].iloc[0]
    items = [item for mark in drawn for item in mark["items"]]
    truth = next(item for item in items if item.get("text") == "truth 5.8313")
    scale = truth["x"] / kde["truth"]
    bar = bounds["items"][0]
    assert bar["x"] == pytest.approx(kde["lower"] * scale, abs=0.1)
    assert bar["x"] + bar["width"] == pytest.approx(kde["upper"] * scale, abs=0.1)
    assert max(len(m["items"]) for m in drawn) == 3 * len(CONTENDERS)
    said = words(figure)
    assert {"truth 5.8313", "What is asked", "asked for another quantity"} <= set(said)
    names = [item for item in items if item.get("text") in ("Rényi", "KDE")]
    assert len({item["fill"] for item in names}) == 2


def test_one_seed_has_no_interval_and_a_refusal_its_reason():
    table, found = answers(count=1)
    said = words(trial_figure(table, found, SETTINGS))
    assert "mean" in said
    assert not any("deviation" in text for text in said)
    refused = found.assign(note="too many ties", estimate=math.nan, seconds=math.nan)
    assert "refuses: too many ties" in words(trial_figure(table.iloc[:0], refused, SETTINGS))
    lines = describe_trials.verdict_lines(refused)
    assert lines[0] == "**KDE** refuses: too many ties"
    with pytest.raises(ValueError, match="no answer"):
        trial_figure(table, found.iloc[:0], SETTINGS)


def test_the_map_has_errors_of_the_question_asked_only():
    _, found = answers(("cube-12", "tanh-1"), n=256)
    said = words(trial_map(found, "error", SETTINGS))
    assert said.count("other") == 2 * len(CONTENDERS) - 7
    for row in found[found["target"] & (found["family"] != "kde")].itertuples():
        mark = " ×" if row.saturated else ""
        text = f"{row.error:+.3f}{mark}\n± {row.sd:.3f}".replace("-", "−")
        assert text.split("\n")[0] in " ".join(said)
    assert "other" not in words(trial_map(found, "estimate", SETTINGS))
    assert any(text.endswith(" ms") for text in words(trial_map(found, "time", SETTINGS)))
    with pytest.raises(ValueError, match="shown"):
        trial_map(found, "mood", SETTINGS)
    with pytest.raises(ValueError, match="no answer"):
        trial_map(found.iloc[:0], "error", SETTINGS)


def test_the_neurons_are_marked_at_the_gain_with_their_bits():
    curves = gain_curves("width", gains=[0.5, 2.0, 5.0])
    figure = gain_figure(curves, 2.0, SETTINGS)
    assert {"w = 2", "tanh 4.157", "ReLU 3.888", "linear 6.954"} <= set(words(figure))
    with pytest.raises(ValueError, match="w: 3"):
        gain_figure(curves, 3.0, SETTINGS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_figure_becomes_a_pdf_in_both_themes(theme):
    settings = TrialSettings(theme)
    table, found = answers()
    squash = squashed(5.0, 30)
    for figure in (
        trial_figure(table, found, settings),
        trial_map(found, "error", settings),
        gain_figure(gain_curves("noise", gains=[1.0]), 1.0, settings),
        squash_figure(squash, bits(squash), settings),
    ):
        assert export.to_pdf(figure, ["caption"]).startswith(b"%PDF")
    assert {"3.958", "3.806", "4.907"} <= set(words(figure))


def test_the_command_of_a_caption_asks_the_same_questions():
    command = shlex.split(describe_trials.trial_command(256, 5, ["tanh-1"]))
    options = _parser().parse_args(command[3:])
    assert (options.n, options.seeds, options.cases) == (256, 5, ["tanh-1"])


@pytest.fixture
def page(own_cache):
    def opened(**link):
        at = AppTest.from_file(str(ROOT / "app" / "pages.py"), default_timeout=60)
        at.run()
        for key, value in link.items():
            at.query_params[key] = value
        return at.switch_page("views/trials.py").run()

    return opened


def test_a_case_is_answered_on_the_page_and_all_by_a_worker(page):
    at = page(case="two-points-1", tn="64", tseeds="2")
    assert not at.exception
    assert not at.error
    said = texts(at.markdown)
    assert "±1 with Gaussian noise, variance 1" in said
    assert "0.4859 bits" in said
    assert "KDE**: bounds 0.3161 to 0.8169 hold the truth" in said
    assert "asked for another quantity" in said
    drawn = tables(at)
    assert len(drawn["seeds"]) == 2 * len(CONTENDERS)
    assert not jobs.registry()._jobs
    assert len(tables(at, 1)["cells"]) == len(CONTENDERS)
    questions = plan(list(TRUTHS.values()), CONTENDERS, 64, range(2))
    at.button(key="trials_go").click().run()
    (job,) = jobs.registry()._jobs.values()
    assert job.request["job"] == "trials"
    job.listener.join(60)
    assert job.state == "done"
    assert all(map(Store().has_trial, questions))
    at.run()
    assert len(tables(at, 1)["cells"]) == len(TRUTHS) * len(CONTENDERS)
    assert not [button for button in at.button if button.key == "trials_go"]


def test_many_samples_are_left_to_a_worker(page):
    at = page(case="xor-one", tn="16384", tseeds="1")
    assert not at.exception
    assert [job.request["cases"] for job in jobs.registry()._jobs.values()] == [["xor-one"]]
    assert "on their way" in texts(at.info)


def test_nonsense_in_the_link_is_named_and_one_seed_said(page):
    at = page(case="none", tn="65", tseeds="1")
    said = texts(at.warning)
    assert "case: 'none' is not allowed" in said
    assert "tn: '65' is not allowed" in said
    assert "One seed" in texts(at.caption)


def test_three_neurons_move_with_their_sliders(page):
    at = page(ttab="neurons", gain="5", cut="limits", slope="100")
    assert not at.exception
    now = tables(at)["now"].set_index("activation")["i_xt"]
    assert now["tanh"] == pytest.approx(information("tanh", 5.0, "limits"))
    assert "seems to compress" in texts(at.markdown)
    assert "1.274 bits" in texts(at.markdown)
    at.selectbox(key="cut").set_value("noise").run()
    at.select_slider(key="gain").set_value(10.0).run()
    now = tables(at)["now"].set_index("activation")["i_xt"]
    assert now["relu"] == pytest.approx(3.759, abs=6e-4)
    assert at.query_params["cut"] == "noise"
    assert at.query_params["gain"] == "10"


@pytest.mark.parametrize(
    ("measure", "options", "said"),
    [
        ("width", {"n_bins": 30}, "tanh rises to 4.90, then falls to 1.15 bits"),
        ("width", {"n_bins": 2}, "tanh stays at 1.00 bits"),
        ("limits", {"n_bins": 2}, "ReLU stays at 0.00 bits"),
        ("rank", {"n_bins": 30}, "linear stays at 4.91 bits"),
        ("noise", {"variance": 1.0}, "tanh rises from"),
    ],
)
def test_what_the_curves_are_said_to_do_is_what_they_do(measure, options, said):
    curves = gain_curves(measure, **options)
    words = describe_trials.lesson(measure, curves)
    assert said in words
    for activation, name in (("tanh", "tanh"), ("relu", "ReLU"), ("linear", "linear")):
        rows = curves[curves["activation"] == activation].sort_values("w")
        (way,) = re.findall(rf"\*\*{name} (.*?) bits\*\*", words)
        assert way.endswith(f"{rows['i_xt'].iloc[-1]:.2f}")


def test_the_page_names_every_case_and_measure():
    for truth in TRUTHS.values():
        assert f"{truth.value:.4f} bits" in describe_trials.case_lines(truth)[1]
    kde = pd.DataFrame(
        [
            {
                "name": "KDE",
                "target": True,
                "estimate": 2.0,
                "sd": np.nan,
                "lower": 1.0,
                "upper": 2.0,
                "truth": 3.0,
                "error": -1.0,
                "saturated": 1,
                "note": "",
            }
        ]
    )
    (line,) = describe_trials.verdict_lines(kde)
    assert (
        "**miss the truth**; the value itself, 2.0000, is -1.0000 bits off; the number of samples"
        in line
    )
