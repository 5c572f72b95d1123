"""The pages without a browser: what they say, and what wrong input does to them."""

import ast
import asyncio
import builtins
import gc
import os
import re
import runpy
import sys
from dataclasses import replace
from itertools import islice
from unittest.mock import Mock
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

import ahead
import first
import jobs
import late
import looks
import runs
import state
from ibcore import (
    ESTIMATORS,
    Binning,
    Experiment,
    Network,
    Recording,
    Store,
    Task,
    Training,
    View,
    information_plane,
    train,
)
from late import Put, Puts
from tests.core.test_architecture import ROOT

SMALL = Experiment(
    Task(train_fraction=0.05), Network("4-3"), Training(epochs=5, replicates=2), Recording(4)
)


pytestmark = pytest.mark.usefixtures("own_cache")


def opened(**link):
    at = AppTest.from_file(str(ROOT / "app" / "pages.py"), default_timeout=60)
    for key, value in link.items():
        at.query_params[key] = value
    return at.run()


def tables(at, index=0):
    """The tables in a chart of the page, by name."""
    proto = at.main.get("vega_lite_chart")[index].proto
    return {d.name: pa.ipc.open_stream(d.data.data).read_pandas() for d in proto.datasets}


def layers(at):
    """The names of the layers in the plane."""
    return list(tables(at)["layers"]["name"])


def shown(markdown):
    """What a person reads: Markdown without its escapes."""
    return re.sub(r"\\(.)", r"\1", markdown)


def texts(elements):
    return " ".join(shown(element.value) for element in elements)


def test_the_server_does_not_search_its_libraries_for_garbage(monkeypatch):
    monkeypatch.setattr("sys.argv", ["main.py"])
    try:
        prepared = runpy.run_path(str(ROOT / "app" / "main.py"))["prepared"]
        asyncio.run(prepared(None).__aenter__())
        assert len(gc.get_objects()) < gc.get_freeze_count() / 100
    finally:
        gc.unfreeze()


def test_the_first_look_is_there_before_the_first_visitor(monkeypatch):
    first.make_first_look()
    for made in ("plane_figure", "strip", "what_am_i_looking_at"):
        monkeypatch.setattr(looks, made, Mock(side_effect=AssertionError("made again")))
    at = opened()
    assert not at.exception
    assert layers(at)[0] == "1: 10 tanh"


def test_the_looks_at_the_other_values_are_made_ahead(monkeypatch):
    """Once they are, a step of the slider makes none."""
    asked = {}
    monkeypatch.setattr(ahead, "prepare", asked.__setitem__)
    at = opened(bins="30")
    (makers,) = asked.values()
    for make in islice(makers, 5):
        make()
    monkeypatch.setattr(looks, "plane_figure", Mock(side_effect=AssertionError("made again")))
    slider = next(s for s in at.select_slider if s.label == "Number of bins")
    at = slider.set_value(28).run()
    assert not at.exception
    assert "cut into 28" in texts(at.markdown)
    assert [heading["heading"] for heading in tables(at)["labels"].to_dict("records")] == [
        "Binning, 28 bins on [-1, 1]"
    ]
    assert len(asked) == 1, "the same ladder"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "app" / "views").glob("*.py")), ids=lambda p: p.stem
)
def test_no_words_stand_alone_in_a_page(path):
    """Streamlit would show them to the reader."""
    _, *body = ast.parse(path.read_text(encoding="utf-8")).body
    alone = [node.value for node in body if isinstance(node, ast.Expr)]
    pages = [value for value in alone if not isinstance(value, ast.Call)]
    is_page = any(isinstance(value, ast.Call) for value in alone)
    assert not (is_page and pages)


def test_the_first_screen_is_the_bundled_run():
    at = opened()
    assert not at.exception
    assert not at.error
    assert not at.warning
    assert layers(at) == [
        "1: 10 tanh",
        "2: 7 tanh",
        "3: 5 tanh",
        "4: 4 tanh",
        "5: 3 tanh",
        "6: 2 softmax",
    ]
    assert tables(at)["means"]["epoch"].max() == 8000
    assert "30 equal bins on [-1, 1]" in texts(at.markdown)


def test_the_link_is_adopted_and_written():
    at = opened(preset="saxe-relu", bins="50", reps="3")
    assert at.session_state["act"] == "relu"
    assert at.session_state["limits"] == "range"
    assert at.session_state["bins"] == 50
    assert at.number_input(key="reps").value == 3
    assert dict(at.query_params) == {"preset": "saxe-relu", "bins": "50", "reps": "3"}


def test_a_preset_fills_the_fields():
    at = opened()
    at.selectbox(key="preset").set_value("digits-relu").run()
    assert at.selectbox(key="task").value == "digits"
    assert at.text_input(key="layers").value == "64-20-20-20"
    assert at.session_state["est"] == "kde"
    assert "not trained yet" in texts(at.info)


def send(at, old, new=None):
    """What the browser has now, all or these keys, but for these states of before."""
    states = at._tree.get_widget_states()
    ids = {w.id for w in old}
    kept = [w for w in states.widgets if w.id not in ids]
    if new is not None:
        kept = [w for w in kept if w.id.split("-")[-1] in new]
    del states.widgets[:]
    states.widgets.extend([*kept, *old])
    at._run(states)


def test_what_a_preset_sets_outlives_what_the_browser_sends_of_a_widget_that_is_gone():
    at = opened(limits="layer")
    old = [w for w in at._tree.get_widget_states().widgets if w.id.endswith("-limits")]
    assert old
    at.selectbox(key="preset").set_value("lorenzen-tanh").run()
    send(at, old)
    assert dict(at.query_params) == {"preset": "lorenzen-tanh"}
    at.selectbox(key="est").set_value("binning").run()
    assert at.selectbox(key="limits").value == "fixed"
    at.selectbox(key="limits").set_value("layer").run()
    assert dict(at.query_params)["limits"] == "layer"


def test_what_a_preset_sets_outlives_what_the_browser_sent_before_it_had_it(monkeypatch):
    at = opened(limits="layer", act="softsign")
    old = [w for w in at._tree.get_widget_states().widgets if not w.id.endswith("-preset")]
    at.selectbox(key="preset").set_value("saxe-relu").run()
    monkeypatch.setattr(late, "LATE_SECONDS", 600)
    send(at, old)
    assert dict(at.query_params) == {"preset": "saxe-relu"}
    monkeypatch.setattr(late, "LATE_SECONDS", -1)
    at.run()
    assert dict(at.query_params) == {"preset": "saxe-relu"}
    at.selectbox(key="act").set_value("softsign").run()
    at.selectbox(key="limits").set_value("layer").run()
    assert at.selectbox(key="act").value == "softsign"
    assert dict(at.query_params)["limits"] == "layer"


def test_what_a_preset_sets_outlives_an_old_page_without_the_widgets_it_brings(monkeypatch):
    at = opened(preset="digits-tanh")
    old = [w for w in at._tree.get_widget_states().widgets if not w.id.endswith("-preset")]
    at.selectbox(key="preset").set_value("saxe-relu").run()
    monkeypatch.setattr(late, "LATE_SECONDS", 600)
    send(at, old, new=["preset"])
    assert dict(at.query_params) == {"preset": "saxe-relu"}


def test_a_person_who_goes_back_to_an_old_value_at_once_is_heard(monkeypatch):
    monkeypatch.setattr(late, "LATE_SECONDS", 600)
    at = opened(limits="layer", act="softsign")
    at.selectbox(key="preset").set_value("saxe-relu").run()
    at.selectbox(key="act").set_value("softsign").run()
    assert dict(at.query_params) == {"preset": "saxe-relu", "act": "softsign"}
    at.run()
    assert at.selectbox(key="act").value == "softsign"


def test_of_two_presets_the_later_counts_though_the_first_was_never_drawn():
    at = opened()
    at.selectbox(key="preset").set_value("saxe-relu")
    state = at.session_state
    state["puts"] = Puts(by_key={"preset": Put("saxe-relu", ("original-code",))})
    state["adopted"] = "saxe-relu"
    at.selectbox(key="preset").set_value("digits-relu").run()
    assert at.selectbox(key="preset").value == "digits-relu"
    assert at.selectbox(key="task").value == "digits"


def test_nonsense_in_a_link_is_named_and_the_page_is_there():
    at = opened(bins="9999", reps="0", train="1.5")
    assert "bins: '9999' is not allowed" in texts(at.warning)
    assert "replicates: 0 is not allowed" in texts(at.markdown)
    assert "train_fraction: 1.5 is not allowed" in texts(at.markdown)
    assert at.button(key="run").disabled
    assert layers(at)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"mode": "full", "batch": "0"}, "batch_size: 0 is not allowed"),
        ({"opt": "sgd", "mom": "2"}, "momentum: 2.0 is not allowed"),
        ({"task": "digits", "layers": "64-10", "train": "7"}, "train_fraction: 7.0 is not allowed"),
    ],
)
def test_what_is_wrong_is_marked_though_nothing_asks_for_it_as_things_are(link, message):
    at = opened(**link)
    assert message in texts(at.sidebar.markdown)
    assert at.button(key="run").disabled


def test_a_run_whose_data_are_gone_makes_room_for_one_that_is_there(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.eye(8), y=np.arange(8) % 2)
    mine = replace(SMALL, task=Task("npz", train_fraction=0.5, path=str(path)))
    Store().train(mine)
    link = {key: state.as_text(value) for key, value in state.of_experiment(mine).items()}
    at = opened(**link)
    assert layers(at)[0] == "1: 10 tanh"
    at.button(key="agree").click().run()
    assert layers(at)[0] == "1: 4 tanh"
    path.rename(tmp_path / "gone.npz")
    at.run()
    assert not at.exception
    assert "use an existing .npz file" in texts(at.sidebar.markdown)
    assert layers(at)[0] == "1: 10 tanh"


def test_files_for_others_name_the_data_without_their_folder(tmp_path, monkeypatch):
    import streamlit as st

    import views.exports

    handed_out = []
    monkeypatch.setattr(views.exports, "_opened", lambda figure: st.container())
    monkeypatch.setattr(views.exports, "_links", lambda _, handout: handed_out.append(handout))
    path = tmp_path / "its data.npz"
    np.savez(path, x=np.eye(8), y=np.arange(8) % 2)
    mine = replace(SMALL, task=Task("npz", train_fraction=0.5, path=str(path)))
    Store().train(mine)
    at = opened(**{key: state.as_text(value) for key, value in state.of_experiment(mine).items()})
    assert "carry the path" not in texts(at.caption)
    at.button(key="agree").click().run()
    handout = handed_out[-1]
    assert str(tmp_path) not in "".join(handout.caption)
    assert "--set 'task.path=its data.npz'" in handout.caption[-1]
    # On the person's own screen the command works as it is.
    assert f"'task.path={path}'" in handout.command
    assert f"carry the path of the data, {path}, " in texts(at.caption)


@pytest.fixture
def touched(monkeypatch):
    """What was asked of the file system, as text."""
    asked = []

    def listened(module, name):
        call = getattr(module, name)

        def heard(place, *args, **more):
            asked.append(str(place))
            return call(place, *args, **more)

        monkeypatch.setattr(module, name, heard)

    for module, name in ((os, "stat"), (os, "listdir"), (os, "scandir"), (builtins, "open")):
        listened(module, name)
    return asked


def test_the_path_of_a_link_is_read_once_the_person_agrees(tmp_path, touched):
    """Till then nobody can tell by a link which files there are."""
    path = tmp_path / "data.npz"
    np.savez(path, x=np.eye(8), y=np.arange(8) % 2)
    said = []
    for place in (path, tmp_path / "none.npz"):
        touched.clear()
        at = opened(task="npz", path=str(place), layers="3")
        for page in ("verdicts", "plane"):
            at.switch_page(f"views/{page}.py").run()
        assert not at.exception
        assert at.text_input(key="path").value == str(place)
        assert at.button(key="run").disabled
        assert str(place) not in touched
        said.append([element.value for element in (*at.markdown, *at.caption, *at.warning)])
    assert said[0] == said[1]
    assert "This path came with the link and is not read yet" in texts(at.sidebar.markdown)
    at.button(key="agree").click().run()
    assert str(tmp_path / "none.npz") in touched
    assert "use an existing .npz file" in texts(at.sidebar.markdown)
    at.text_input(key="path").set_value(str(path)).run()
    assert str(path) in touched
    assert not at.button(key="run").disabled
    # The address holds what was typed: the page may be loaded again.
    again = opened(task="npz", path=str(path), layers="3")
    assert not again.button(key="run").disabled
    assert "agree" not in [button.key for button in again.button]


def test_the_network_path_of_a_link_is_refused(touched):
    at = opened(task="npz", path="//server/share/x.npz")
    assert "a drive letter or a mounted folder" in texts(at.sidebar.markdown)
    assert "agree" not in [button.key for button in at.button]
    assert not [place for place in touched if "server" in place]


def test_a_network_that_is_too_large_is_not_offered_to_be_run():
    at = opened(layers="5000-5000", epochs="999999")
    assert "is not allowed" in texts(at.sidebar.markdown)
    assert at.button(key="run").disabled
    assert "The messages in red in the sidebar say what is wrong" in texts(at.warning)
    assert not at.info


def test_of_two_runs_in_training_each_is_read_on_from_where_it_was(monkeypatch):
    """The one that the settings ask for, and the one on the screen until it is there."""
    ones = [replace(SMALL, training=replace(SMALL.training, seed=seed)) for seed in (1, 2)]
    found, asked = {one.key: train(one, device="cpu") for one in ones}, []

    def find(experiment, dataset, *, known):
        asked.append(known and known.experiment.key)
        return found[experiment.key]

    monkeypatch.setattr(runs.st, "session_state", {})
    monkeypatch.setattr(runs, "store", lambda: Mock(find=find))
    for one in ones * 2:
        runs._partial(one)
    assert asked == [None, None, *found]


def test_a_link_cannot_bring_markup_onto_the_page():
    image = "![](http://elsewhere.example/a.png)"
    at = opened(task=image)
    assert "elsewhere.example" in texts(at.warning)
    assert "](" not in at.warning[0].value


def test_a_network_is_quantised_and_a_wrong_activation_is_named_beside_the_field():
    at = opened()
    at.selectbox(key="bits").set_value("8").run()
    assert not at.exception
    assert dict(at.query_params) == {"preset": state.FIRST_PRESET, "bits": "8"}
    settings = {key: at.session_state[key] for key in state.BY_KEY}
    assert state.experiment(settings).network == Network("10-7-5-4-3", bits=8)
    assert not at.button(key="run").disabled
    at.selectbox(key="act").set_value("gelu").run()
    assert "bits: 8 is not allowed; use none: gelu has no grid" in texts(at.markdown)
    assert at.button(key="run").disabled
    at.selectbox(key="bits").set_value("float").run()
    assert not at.button(key="run").disabled


def test_a_stack_is_drawn_and_what_is_wrong_with_it_stands_under_its_field():
    at = opened(preset="digits-relu", layers="conv8k3-pool2-drop0.25-10", epochs="1", reps="1")
    assert not at.exception
    (drawing,) = at.sidebar.get("vega_lite_chart")
    rows = {d.name: pa.ipc.open_stream(d.data.data).read_pandas() for d in drawing.proto.datasets}
    assert list(rows["numbers"]["text"].str.replace("\n", "")) == [
        "1@8×8",
        "8@6×6",
        "8@3×3",
        "10",
        "10",
    ]
    assert list(rows["dropout"]["text"]) == ["0.25"]
    for task, layers, wrong in (
        ("digits", "conv8k3-pool2-conv8k4", "conv8k4 does not fit into 3 x 3 pixels"),
        ("digits", "10-conv8k3", "use conv8k3 before the first dense layer"),
        ("symmetric", "conv8k3-10", "use dense layers only: inputs of shape (12,) are no images"),
    ):
        at.selectbox(key="task").set_value(task)
        at.text_input(key="layers").set_value(layers).run()
        assert not at.exception
        (line,) = [shown(m.value) for m in at.sidebar.markdown if ":red[" in m.value]
        assert line.startswith(f":red[layers: {layers!r} is not allowed; use ")
        assert line.endswith(wrong + "]")
        assert at.button(key="run").disabled
        assert not at.sidebar.get("vega_lite_chart")


def test_fields_that_are_not_drawn_keep_their_values():
    at = opened(preset="saxe-tanh")
    at.number_input(key="batch").set_value(64).run()
    at.selectbox(key="mode").set_value("full").run()
    assert not [field for field in at.number_input if field.key == "batch"]
    at.selectbox(key="mode").set_value("mini").run()
    assert at.number_input(key="batch").value == 64


def test_settings_outlive_a_change_of_page():
    at = opened(preset="saxe-relu", bins="50")
    at.switch_page("views/guide.py").run()
    at.switch_page("views/sensitivity.py").run()
    assert not at.exception
    assert at.select_slider(key="bins").value == 50
    assert at.selectbox(key="limits").value == "range"


def test_activations_beyond_fixed_limits_are_named():
    at = opened(preset="saxe-relu", limits="fixed")
    assert "lie beyond the limits of the bins at epoch 1,620 " in texts(at.warning)
    assert "lie beyond" not in texts(opened(preset="saxe-relu", limits="width").warning)
    assert "lie beyond" not in texts(opened(preset="saxe-tanh").warning)


def test_limits_that_do_not_rise_are_named_and_the_plane_stays():
    at = opened()
    at.number_input(key="low").set_value(3.0).run()
    assert "limits" in texts(at.error)
    assert layers(at)


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        ("npz", {"x": np.array([[np.nan], [1.0], [0.0]]), "y": np.array([0, 1, 0])}, "finite"),
        ("npz", {"x": np.array([[{}], [1.0]], dtype=object), "y": np.array([0, 1])}, "object"),
        ("npz", {"x": np.ones((3, 1))}, "y"),
        ("npz", {"x": np.ones((3, 1)), "y": np.array([0, 1])}, "3"),
        ("npz", None, "existing"),
        ("idx", None, "existing"),
    ],
)
def test_wrong_data_are_named_beside_the_path(tmp_path, task, content, message):
    path = tmp_path / "data.npz"
    if content is not None:
        np.savez(path, **content)
    at = opened(task=task, path=str(path))
    at.button(key="agree").click().run()
    assert not at.exception
    red = [m.value for m in at.markdown if m.value.startswith(":red[")]
    assert len(red) == 1
    assert message in red[0]
    assert at.button(key="run").disabled


def own(tmp_path, arrays, **link):
    """A page on which the person lets the data of the link be read."""
    np.savez(tmp_path / "data.npz", **arrays)
    at = opened(task="npz", path=str(tmp_path / "data.npz"), layers="4", **link)
    if any(button.key == "agree" for button in at.button):
        at.button(key="agree").click().run()
    return at


def test_what_was_taken_for_which_class_is_said_below_the_task(tmp_path):
    at = own(tmp_path, {"x": np.eye(6), "y": np.array([[-1], [1], [1]] * 2)})
    assert "Labels: -1 -> 0, 1 -> 1 (y is a column)" in texts(at.sidebar.caption)
    assert "Labels:" not in texts(opened().sidebar.caption)


def test_names_of_classes_are_no_markup(tmp_path):
    names = np.array(["[a](http://b.c)", "\x1b*b*"] * 3)
    at = own(tmp_path, {"x": np.eye(6), "y": names})
    line = next(c.value for c in at.sidebar.caption if c.value.startswith("Labels"))
    assert "\\[a\\]\\(http" in line
    assert line.isprintable()


def test_numbers_are_binned_on_the_page(tmp_path):
    arrays = {"x": np.eye(8), "y": np.arange(8) / 2}
    at = own(tmp_path, arrays)
    assert "bin y into quantile classes" in texts(at.sidebar.markdown)
    at.text_input(key="biny").set_value("2").run()
    assert not at.exception
    said = texts(at.sidebar.caption)
    assert "Labels: [0, 1.75) -> 0, [1.75, 3.5] -> 1 (2 quantile classes)" in said
    assert not at.button(key="run").disabled
    assert "2 quantile classes" in texts(own(tmp_path, arrays, biny="2").sidebar.caption)


def test_large_columns_are_named_until_they_are_standardised(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3)) * [1000, 1, 1]
    arrays = {"x": x, "y": np.arange(20) % 2}
    at = own(tmp_path, arrays)
    assert "the largest column, 0 counted from 0" in texts(at.sidebar.warning)
    at.checkbox(key="std").check().run()
    assert not at.exception
    assert not at.sidebar.warning
    assert not own(tmp_path, arrays, std="true").sidebar.warning


def test_options_of_own_data_have_no_place_for_other_tasks():
    keys = {widget.key for widget in (*opened().sidebar.text_input, *opened().sidebar.checkbox)}
    assert not keys & {"biny", "std"}


def test_a_sigmoid_for_ten_classes_is_named_at_the_output():
    at = opened(preset="digits-tanh", out="sigmoid")
    assert ":red[output: 'sigmoid' is not allowed" in texts(at.markdown)


def test_a_run_from_the_cache_is_shown_and_its_ladder_asked_for():
    Store().train(SMALL)
    at = opened(**as_link(SMALL))
    assert not at.exception
    assert layers(at)[-1] == "3: 2 softmax"
    assert "trained already" in texts(at.caption)
    assert [job.request["job"] for job in jobs.registry()._jobs.values()] == ["curves"]


def as_link(experiment):
    preset = state.of_experiment(state.PRESETS[state.FIRST_PRESET].experiment)
    mine = state.of_experiment(experiment)
    return {key: str(value) for key, value in mine.items() if preset[key] != value}


def test_a_partial_run_is_shown_with_the_way_to_go_on():
    heard = []
    Store().train(SMALL, progress=heard.append, should_stop=lambda: len(heard) > 0)
    at = opened(**as_link(SMALL))
    assert "Stopped at epoch" in texts(at.info)
    assert at.button(key="run").label == "Continue"
    assert layers(at)


def test_a_page_loaded_during_a_training_can_end_it_from_other_settings(monkeypatch):
    idle = "import sys; sys.stdin.read()"
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", idle))
    key, content = runs.training_key(SMALL), runs.as_json(SMALL)
    job = jobs.registry().start(key, {"job": "train", "experiment": content})
    at = opened(**as_link(SMALL))
    at.number_input(key="epochs").set_value(6).run()
    assert not at.exception
    at.button(key="cancel_other").click().run()
    job.listener.join()
    assert (job.cancelled, job.state) == (True, "stopped")


def test_work_that_waits_for_its_turn_says_so(monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", "import sys; sys.stdin.read()"))
    monkeypatch.setattr(jobs.registry(), "_cores", 1)
    jobs.registry().start("train another", {"job": "train"})
    Store().train(SMALL)
    at = opened(**as_link(SMALL), est="ksg")
    assert "Estimating, waiting: 1 worker is at work" in texts(at.caption)
    assert not at.get("progress")
    assert "stop_work" in [button.key for button in at.button]


def test_a_training_whose_result_could_not_be_kept_says_why():
    heard = []
    Store().train(SMALL, progress=heard.append, should_stop=lambda: len(heard) > 0)
    why = "cache: what is computed could not be kept (No space left on device)"
    job = jobs.Job({"job": "train"}, state="done", notices=[why])
    jobs.registry()._jobs[runs.training_key(SMALL)] = job
    at = opened(**as_link(SMALL))
    said = f"The training reached its end, but its result could not be kept: {why}"
    assert [shown(error.value) for error in at.error] == [said]
    assert not at.warning
    assert at.button(key="run").label == "Continue"


def upload(at, name, content):
    (uploader,) = at.sidebar.file_uploader
    uploader.set_value((name, content, "application/octet-stream"))
    return at.run()


def test_an_uploaded_run_and_experiment_open():
    run = train(SMALL, device="cpu")
    at = upload(opened(), "run.npz", run.to_bytes())
    assert not at.exception
    assert at.text_input(key="layers").value == "4-3"
    assert layers(at) == ["1: 4 tanh", "2: 3 tanh", "3: 2 softmax"]
    at = upload(at, "experiment.json", Experiment().to_json().encode())
    assert at.text_input(key="layers").value == "10-7-5-4-3"


def test_a_run_pressed_after_an_opened_file_replaces_it():
    heard = []
    part = train(SMALL, device="cpu", progress=heard.append, should_stop=lambda: len(heard) > 0)
    at = upload(opened(), "run.npz", part.to_bytes())
    assert "opened file holds" in texts(at.info)
    Store().train(SMALL)
    at.button(key="run").click().run()
    assert tables(at)["means"]["epoch"].max() == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.npz", b"not a zip"),
        ("run.npz", train(SMALL, device="cpu").to_bytes()[:2000]),
        ("experiment.json", b'{"network": {"activation": "swish"}}'),
        ("experiment.json", b"\xff\xfe"),
    ],
)
def test_a_wrong_upload_is_one_line_and_the_screen_stays(name, content):
    at = upload(opened(), name, content)
    assert not at.exception
    assert len(at.error) == 1
    assert shown(at.error[0].value).startswith(name + ": ")
    assert "\n" not in at.error[0].value
    assert at.text_input(key="layers").value == "10-7-5-4-3"
    assert layers(at)


def test_a_diverged_replicate_is_named_and_not_drawn():
    experiment = Experiment(
        Task(train_fraction=0.05),
        Network("4-3", "linear"),
        Training("sgd", 500.0, epochs=5, replicates=2),
        Recording(4),
    )
    run = train(experiment, device="cpu")
    assert (run.diverged > 0).all()
    at = upload(opened(), "run.npz", run.to_bytes())
    assert "ceased to be finite" in texts(at.warning)
    assert tables(at)["means"]["epoch"].max() < run.diverged.min()
    assert np.isfinite(tables(at)["means"][["i_xt", "i_ty"]]).all().all()


@pytest.mark.parametrize("preset", ["original-code", "saxe-tanh", "saxe-relu"])
def test_sensitivity_draws_the_whole_ladder_of_a_bundled_run(preset):
    at = opened(preset=preset).switch_page("views/sensitivity.py").run()
    assert not at.exception
    assert [e.value for e in at.error] == []
    planes, heat = (tables(at, index) for index in (0, 1))
    assert planes["means"]["panel"].nunique() == 6
    assert heat["cells"]["value"].nunique() == len(Binning().default_ladder)
    assert not [job for job in jobs.registry()._jobs.values() if job.active]


def test_the_guide_links_to_presets_that_exist():
    at = opened().switch_page("views/guide.py").run()
    assert not at.exception
    links = [link.proto.query_string for link in at.get("page_link")]
    assert len(links) >= 5
    for link in links:
        for key, values in parse_qs(link, strict_parsing=True).items():
            value = state.read(key, values[0])
            assert key not in state.CHOICES or value in state.CHOICES[key]


def test_rank_bins_and_options_change_the_estimate_and_are_explained():
    Store().train(SMALL, device="cpu")
    first, options = state.defaults(), {"limits": "rank", "corr": "miller-madow", "bins": "10"}
    small = {k: state.as_text(v) for k, v in state.of_experiment(SMALL).items() if first[k] != v}
    at = opened(**small, **options, null="10", samples="train")
    assert not at.exception
    assert not at.error
    said = texts(at.markdown)
    assert "10 bins of equal counts" in said
    assert "Miller-Madow" in said
    assert "10 shuffles of the labels" in said
    assert "null: -1 is not allowed" in texts(opened(null="-1").error)


def test_a_button_sets_the_noise_that_is_tuned_to_the_labels():
    at = opened(preset="saxe-tanh", est="kde", var="1.6")
    at.session_state["options"] = True
    at.run()
    assert "both bounds of the KDE are within 1 %" in texts(at.caption)
    at.button(key="tuned").click().run()
    assert not at.exception
    assert at.query_params["var"] == "0.05", "of 0.0503 for two classes"


def test_a_figure_that_is_taken_away_carries_the_verdict_and_the_doubts(monkeypatch):
    import views.exports

    taken = []
    monkeypatch.setattr(views.exports, "exports", lambda figure, *_: taken.append(figure.seen))
    assert not opened(preset="saxe-tanh", est="kde").exception
    (seen,) = taken
    assert ". Verdict: KDE" in seen
    assert ". Flags: inequality broken: layer 3 tells" in seen
    assert "\\" not in seen
    assert "**" not in seen


def test_what_breaks_the_laws_of_information_has_a_badge():
    (badge,) = [m for m in opened(preset="saxe-tanh", est="kde").markdown if "badge[" in m.value]
    assert "inequality broken: layer 3 tells" in shown(badge.value)
    assert "data processing inequality" not in badge.value
    assert "cannot know more about Y" in badge.help or "No layer can know more" in badge.help


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("sampling", "Sample propagation: z = t + noise"),
        ("gaussian", "½ log2 det(1 + C/σ²)"),
        ("renyi", "It is not Shannon information"),
        ("ksg", "A diagnostic, not a measurement"),
        ("quantised", "nearest of 2^8 = 256 even levels"),
    ],
)
def test_every_estimator_has_its_slider_its_words_and_its_plane(family, words):
    run = Store().train(SMALL, device="cpu")
    estimator = ESTIMATORS[family]()
    Store().curves(run, estimator, estimator.default_ladder, view=View("train"))
    first = state.defaults()
    settings = state.of_experiment(SMALL) | {"est": family, "samples": "train"}
    link = {k: state.as_text(v) for k, v in settings.items() if first[k] != v}
    at = opened(**link)
    assert not at.exception
    assert not at.error
    assert words in texts(at.markdown)
    table = information_plane(run, estimator, samples="train")
    expected = table.groupby(["layer", "epoch"])["i_xt"].mean()
    drawn = tables(at)["means"].set_index(["layer", "epoch"])["i_xt"]
    np.testing.assert_allclose(drawn.sort_index(), expected, atol=1e-4)


def test_channels_of_a_convolutional_network_are_measured_one_by_one_on_a_subset():
    experiment = Experiment(
        Task("digits", train_fraction=0.2),
        Network("conv2k3-pool2-5", "relu"),
        Training(epochs=2, replicates=1),
        Recording(2),
    )
    run = Store().train(experiment, device="cpu")
    view = View("test", 500, "mean")
    estimator = Binning(limits="range")
    Store().curves(run, estimator, estimator.default_ladder, view=view)
    link = {"limits": "range", "samples": "test", "sub": "500", "chan": "mean"}
    at = opened(**as_link(experiment), **link)
    assert not at.exception
    assert not at.error
    assert dict(at.query_params).items() >= link.items()
    assert "500 of the 1,438 test images, mean over single channels: open" in texts(at.caption)
    assert "every channel is measured by itself" in texts(at.markdown)
    expected = information_plane(run, estimator, **vars(view))
    drawn = tables(at)["means"].set_index(["layer", "epoch"])["i_xt"]
    means = expected.groupby(["layer", "epoch"])["i_xt"].mean()
    np.testing.assert_allclose(drawn.sort_index(), means, atol=1e-4)
    at.session_state["options"] = True
    at.run()
    assert at.selectbox(key="chan").options == ["all as one vector", "each by itself, their mean"]
    at.selectbox(key="sub").set_value("all").run()
    assert "Measured on all 1,438 test images, mean" in texts(at.caption)
    assert at.query_params["sub"] == "all"


def test_a_run_without_a_test_set_has_no_test_samples():
    Store().train(replace(SMALL, task=Task(train_fraction=1.0)))
    at = opened(**as_link(replace(SMALL, task=Task(train_fraction=1.0))), samples="test")
    assert "samples: 'test' is not allowed; use all or train" in texts(at.error)
    at.session_state["options"] = True
    at.run()
    assert not at.exception


def test_the_path_in_an_opened_experiment_is_read(tmp_path):
    """To open the file is the person's own act."""
    path = tmp_path / "data.npz"
    np.savez(path, x=np.eye(8), y=np.arange(8) % 2)
    mine = replace(SMALL, task=Task("npz", train_fraction=0.5, path=str(path)))
    at = upload(opened(), "experiment.json", mine.to_json().encode())
    assert not at.exception
    assert "not read yet" not in texts(at.sidebar.markdown)
    assert not at.button(key="run").disabled


def test_a_run_of_own_data_opens(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.eye(8), y=np.arange(8) % 2)
    mine = replace(SMALL, task=Task("npz", train_fraction=0.5, path=str(path)))
    at = upload(opened(), "run.npz", train(mine, device="cpu").to_bytes())
    assert not at.exception
    assert layers(at)[0] == "1: 4 tanh"


def test_a_run_and_an_experiment_open_by_their_path(tmp_path):
    train(SMALL, device="cpu").save(tmp_path / "run.npz")
    (tmp_path / "my experiment.json").write_text(Experiment().to_json())
    at = opened()
    at.text_input(key="open_path").set_value(f'"{tmp_path / "run.npz"}"').run()
    assert not at.exception
    assert layers(at) == ["1: 4 tanh", "2: 3 tanh", "3: 2 softmax"]
    assert "Opened: " in shown(texts(at.sidebar.caption))
    at.text_input(key="open_path").set_value(str(tmp_path / "my experiment.json")).run()
    assert at.text_input(key="layers").value == "10-7-5-4-3"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nowhere/run.npz", "run file: '/nowhere/run.npz' does not exist"),
        ("/nowhere/experiment.json", "No such file or directory"),
        ("/dev/zero", "is not a regular file"),
        ("/dev", "is not a regular file"),
        ("/dev/zero.json", "No such file or directory"),
        ("\x1b[31m", "does not exist"),
    ],
)
def test_a_wrong_path_is_one_line_and_the_screen_stays(path, message):
    at = opened()
    at.text_input(key="open_path").set_value(path).run()
    assert not at.exception
    (error,) = at.error
    assert message in shown(error.value)
    assert error.value.isprintable()
    assert layers(at)


@pytest.mark.parametrize("content", [b'{"\\ud800":1}', b'{"task": {"name": "\\ud800"}}'])
def test_text_that_is_no_text_leaves_the_page_as_it_is(content):
    at = upload(opened(), "experiment.json", content)
    assert not at.exception
    (error,) = at.error
    assert "\\ud800" in shown(error.value)
    error.value.encode()
    assert layers(at)


def test_an_experiment_is_refused_by_its_size_before_it_is_read():
    content = b"[" + b"{}," * 500_000 + b"{}]"
    at = upload(opened(), "experiment.json", content)
    assert not at.exception
    (error,) = at.error
    assert "use JSON of at most 1,000,000 bytes" in shown(error.value)


def test_the_command_line_names_a_run_for_new_sessions_without_a_link(tmp_path, monkeypatch):
    train(SMALL, device="cpu").save(tmp_path / "run.npz")
    monkeypatch.setattr("sys.argv", ["app/main.py", str(tmp_path / "run.npz")])
    at = opened()
    assert not at.exception
    assert layers(at) == ["1: 4 tanh", "2: 3 tanh", "3: 2 softmax"]
    assert layers(opened(preset="original-code"))[0] == "1: 10 tanh"


def test_the_size_of_the_cache_is_in_the_sidebar():
    Store().train(SMALL)
    assert "Cache: " in texts(opened().sidebar.caption)
