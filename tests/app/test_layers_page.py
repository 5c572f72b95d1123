"""The page of layers: before and after, both definitions, the chosen input, the tuned noise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import runs
from describe import layer_names
from describe_claims import claim_lines
from ibcore import KDE, Experiment, Network, Recording, Store, Task, Training, View
from ibcore.claims import claims
from ibcore.comparison import by_channels, compared
from ibcore.plane import information_plane

from .test_pages import SMALL, as_link, opened, shown, tables, texts

pytestmark = pytest.mark.usefixtures("own_cache")

CONVOLUTIONS = Experiment(
    Task("digits", train_fraction=0.2),
    Network("conv2k3-pool2-5", "relu"),
    Training(epochs=2, replicates=2),
    Recording(3),
)
VIEW = View("test", 500)
SEEN = {"est": "kde", "var": "0.0735", "samples": "test", "sub": "500"}


def the_page(experiment=CONVOLUTIONS, **link):
    at = opened(**as_link(experiment), **link)
    return at.switch_page("views/layers.py").run()


@pytest.fixture
def trained_and_estimated():
    run, kde = Store().train(CONVOLUTIONS, device="cpu"), KDE(0.0735)
    ends = [0, len(run.epochs) - 1]
    for view in by_channels(run, VIEW).values():
        Store().curves(run, kde, kde.default_ladder, view=view, only=ends)
    return run


def test_both_definitions_before_and_after_and_the_dissertations_statement(trained_and_estimated):
    run, at = trained_and_estimated, the_page(**SEEN)
    assert not at.exception
    assert not at.error
    drawn = tables(at)["planes"].set_index(["definition", "moment", "layer"])
    planes = {
        name: compared(information_plane(run, KDE(0.0735), **vars(view)), 0, 2)
        for name, view in by_channels(run, VIEW).items()
    }
    for name, expected in planes.items():
        for row in expected.itertuples():
            mark = drawn.loc[(name, row.moment, row.layer)]
            for field in ("i_xt", "i_ty", "i_xt_low", "i_ty_high"):
                assert mark[field] == pytest.approx(getattr(row, field), abs=1e-4)
    said = texts(at.markdown)
    judged = claims(planes, (1, 2), np.log2(500))
    for line in claim_lines(judged, planes, layer_names(CONVOLUTIONS, 10)):
        assert shown(line) in said


def test_the_input_and_the_network_that_are_asked_for(trained_and_estimated):
    run = trained_and_estimated
    at = the_page(**SEEN, img="7", net="1")
    row = run.sample_index("test")[1][7]
    before, after = (run.activations_of(k, row, 1)[-1] for k in (0, len(run.epochs) - 1))
    lines = list(tables(at)["lines"]["text"])
    assert f"class {run.dataset.y[row]}" in lines
    assert any(f"{before.argmax()} with p = {before.max():.3f}" in line for line in lines)
    assert any(f"{after.argmax()} with p = {after.max():.3f}" in line for line in lines)
    at.number_input(key="img").set_value(8).run()
    assert f"class {run.dataset.y[run.sample_index('test')[1][8]]}" in list(
        tables(at)["lines"]["text"]
    )


def test_an_input_that_is_not_there_is_the_last_one(trained_and_estimated):
    at = the_page(**SEEN, img="99999", net="5")
    assert not at.exception
    assert not at.error
    assert at.number_input(key="img").value == 1437
    assert at.number_input(key="net").value == 1


def test_a_dense_network_has_one_definition_and_one_sentence():
    at = opened(est="kde").switch_page("views/layers.py").run()
    assert not at.exception
    assert not at.error
    assert set(tables(at)["planes"]["definition"]) == {"concat"}
    assert "prediction layer" in texts(at.markdown)
    assert "under **concat**" not in texts(at.markdown)
    assert at.number_input(key="img").label == "Test input"


def test_a_run_that_was_stopped_shows_how_far_it_came():
    longer = replace(SMALL, training=Training(epochs=3000, replicates=2), recording=Recording(20))
    heard = []
    run = Store().train(longer, progress=heard.append, should_stop=lambda: len(heard) > 2)
    assert not run.complete
    at = the_page(longer)
    assert not at.exception
    assert f"so far: epoch {run.epochs[-1]}" in list(tables(at)["lines"]["text"])
    assert "prediction layer" not in texts(at.markdown), "the training has not ended"


def test_a_diverged_network_shows_how_far_it_came(monkeypatch):
    run = Store().train(SMALL, device="cpu")
    diverged = run.diverged.copy()
    diverged[1] = 1
    monkeypatch.setattr(
        runs,
        "find",
        lambda _: (type(run)(**{**run.__getstate__(), "diverged": diverged}), "cached"),
    )
    at = the_page(SMALL, net="1")
    assert not at.exception
    assert not at.error
    headings = list(tables(at)["lines"]["text"])
    assert "before it diverged: epoch 0" in headings
    at.number_input(key="net").set_value(0).run()
    assert "after training: epoch 5" in list(tables(at)["lines"]["text"])


def test_the_tuned_noise_has_its_figure_and_its_button(trained_and_estimated):
    at = the_page(**SEEN)
    at.session_state["tuning-box"] = True
    at.run()
    assert not at.exception
    marks = pd.DataFrame(tables(at, 1)["marks"])
    assert list(marks["name"]) == ["tuned 0.042", "dissertation 0.0735", "now 0.0735"]
    at.button(key="tuned-box").click().run()
    assert at.query_params["var"] == "0.025"
    assert at.select_slider(key="var").value == 0.025


def test_activations_are_those_of_the_run(trained_and_estimated):
    run, at = trained_and_estimated, the_page(**SEEN)
    whites = [line for line in tables(at)["lines"]["text"] if line.startswith("white")]
    row = run.sample_index("test")[0][0]
    before, after = (run.activations_of(k, row) for k in (0, len(run.epochs) - 1))
    expected = [
        f"white {np.abs(b).max():.3g} → {np.abs(a).max():.3g}"
        for b, a in zip(before[1:], after[1:], strict=True)
    ]
    assert whites[1:] == expected
