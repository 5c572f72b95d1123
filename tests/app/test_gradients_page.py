"""The page of gradients without a browser: what it draws, says and refuses."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import commands
import jobs
import probing
import state
from describe_phases import epoch_words, for_panels, noise_scales, outcome_lines
from ibcore import (
    PRESETS,
    Experiment,
    GradientProbe,
    Network,
    Recording,
    Run,
    Store,
    Task,
    Training,
    defined,
    probed,
)
from ibcore.events import gradient_events
from tests.core.test_architecture import ROOT

from .test_pages import shown, tables, texts

SMALL = Experiment(
    Task(train_fraction=0.05),
    Network("4-3"),
    Training(batch_size=40, epochs=12, replicates=2),
    Recording(10),
)


pytestmark = pytest.mark.usefixtures("own_cache")


def opened(**link):
    """The page, as a link opens it."""
    at = AppTest.from_file(str(ROOT / "app" / "pages.py"), default_timeout=60)
    at.run()
    for key, value in link.items():
        at.query_params[key] = value
    return at.switch_page("views/gradients.py").run()


def trained(**training):
    experiment = replace(SMALL, training=replace(SMALL.training, **training))
    Store().train(experiment, device="cpu")
    return experiment


def link_of(experiment):
    """The part of a link that differs from the first preset."""
    settings, first = state.of_experiment(experiment), state.defaults()
    return {key: state.as_text(value) for key, value in settings.items() if first[key] != value}


def test_the_bundled_run_is_there_as_its_source_drew_it():
    at = opened()
    assert not at.exception
    assert not at.error
    assert at.session_state["proto"] == "along"
    assert at.session_state["def"] == "cumulative"
    run = Run.load(ROOT / "assets" / "runs" / "original-code.npz")
    expected = defined(probed(run, GradientProbe("along")), "cumulative")
    means = np.exp(np.log(expected["snr"]).groupby([expected["layer"], expected["epoch"]]).mean())
    drawn = tables(at)["ratios"].set_index(["layer", "epoch"])["value"]
    np.testing.assert_allclose(drawn.loc[3].to_numpy(), means.loc[3].to_numpy(), rtol=1e-3)


def test_definition_and_protocol_change_the_picture_without_training(monkeypatch):
    # On a busy machine the first look would not get through all checkpoints.
    monkeypatch.setattr(probing, "PAGE_SECONDS", 60.0)
    at = opened()
    drawn = [tables(at)["ratios"]["value"].to_numpy()]
    for key, value in (("def", "layer"), ("proto", "epoch"), ("snr", "squared")):
        at.session_state[key] = value
        at.run()
        assert not at.error
        drawn.append(tables(at)["ratios"]["value"].to_numpy())
    assert not np.allclose(drawn[0], drawn[1])
    assert drawn[2].size > drawn[1].size, "with fixed weights epoch 0 has gradients too"
    np.testing.assert_allclose(drawn[3], drawn[2] ** 2, rtol=1e-3)
    assert not any(key.startswith("train") for key in jobs.registry()._jobs)
    assert dict(at.query_params)["def"] == "layer"


def test_every_layer_has_its_sentence():
    at = opened(preset="saxe-tanh")
    said = texts(at.markdown)
    assert "1: 10 tanh: crossed at epoch" in said.replace("**", "")
    assert "B_simple" in said
    assert "6: 2 softmax: crossed at epoch" in said.replace("**", "")


def test_the_full_batch_is_undefined_and_offers_virtual_minibatches():
    experiment = trained(batch_mode="full")
    at = opened(**link_of(experiment), proto="epoch")
    assert "Undefined" in texts(at.info)
    assert not at.main.get("vega_lite_chart")
    at.button(key="virtual").click().run()
    assert not at.error
    assert at.session_state["vbatch"] == 51
    assert tables(at)["ratios"]["value"].gt(0).all()


def test_what_takes_long_is_left_to_a_worker_and_can_be_stopped_and_resumed(monkeypatch):
    monkeypatch.setattr(probing, "CHEAP", 0)
    at = opened(**link_of(trained()), proto="epoch")
    (job,) = jobs.registry()._jobs.values()
    assert job.request["job"] == "probe"
    assert "The first numbers are on their way" in texts(at.info)
    if job.active:
        at.button(key="stop_work").click().run()
    job.listener.join()
    at.run()
    if job.cancelled:
        assert "This was stopped" in texts(at.info)
        at.button(key="resume_work").click().run()
        at.run()
        (job,) = jobs.registry()._jobs.values()
        job.listener.join()
        at.run()
    assert not at.error
    assert tables(at)["ratios"]["value"].gt(0).all()


def test_parallel_networks_are_offered_their_own_protocol_only():
    experiment = trained(batch_mode="parallel", replicates=5)
    at = opened(**link_of(experiment), proto="along")
    assert not at.error
    assert at.session_state["proto"] == "networks"
    assert "5 networks that started alike" in texts(at.markdown)


def test_minibatches_that_the_data_do_not_have_are_named():
    at = opened(**link_of(trained()), proto="sampled", vbatch="5000")
    assert "batch_size: 5000 is not allowed; use at most 204" in texts(at.error)
    at.number_input(key="vbatch").set_value(50).run()
    at.number_input(key="nbatch").set_value(1).run()
    assert "n_batches: 1 is not allowed" in texts(at.error)
    at.number_input(key="nbatch").set_value(7).run()
    assert not at.error
    assert tables(at)["ratios"]["value"].gt(0).all()


def test_a_run_that_kept_no_gradients_along_its_epochs_says_so():
    old = replace(
        Run.load(ROOT / "assets" / "runs" / "saxe-tanh.npz"), along_mean=None, along_std=None
    )
    at = opened(preset="saxe-tanh")
    at.session_state["opened"] = old
    at.run()
    assert "kept no gradients along its epochs" in texts(at.error)
    at.session_state["proto"] = "epoch"
    at.run()
    assert not at.error


def test_a_short_run_says_that_it_shows_no_phases():
    experiment = replace(SMALL, recording=Recording(4))
    Store().train(experiment, device="cpu")
    at = opened(**link_of(experiment), proto="epoch")
    assert "Too few checkpoints" in texts(at.info)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fills_the_settings_of_its_gradients(name):
    settings = state.defaults() | state.of_preset(PRESETS[name])
    assert state.probe(settings) == PRESETS[name].probe
    assert settings["def"] == PRESETS[name].definition


@pytest.mark.parametrize("probe", [GradientProbe(batch_size=64), GradientProbe("sampled", 9, 33)])
def test_the_command_of_a_caption_asks_for_the_same_probe(probe):
    command = commands.probe_command(SMALL, probe, "caption")
    assert command.startswith("python -m ibcore run")
    words = command.split("&& ")[1].split()
    assert words[:6] == ["python", "-m", "ibcore", "probe", "out/run.npz", "gradients"]
    given = dict(zip(words[6::2], words[7::2], strict=True))
    expected = {"--protocol": probe.protocol, "--batch-size": str(probe.batch_size)}
    expected |= {"--n-batches": str(probe.n_batches)} if probe.n_batches else {}
    assert given == expected | {"--definition": "caption"}


def test_sentences_say_the_epoch_with_its_interval():
    run = Run.load(ROOT / "assets" / "runs" / "saxe-tanh.npz")
    table = probed(run, GradientProbe("along"))
    events = gradient_events(defined(table))
    fourth = events[(events["layer"] == 4) & (events["kind"] == "crossing")].iloc[0]
    epoch, low, high = (round(fourth[c]) for c in ("epoch", "epoch_lower", "epoch_upper"))
    words = f"at epoch {epoch} [{low}, {high}]"
    assert epoch_words(fourth) == words
    panel = for_panels(events)
    assert panel.loc[fourth.name, "words"] == f"crossed {words}"
    scales = noise_scales(table, GradientProbe("along"), run)
    lines = outcome_lines(events, scales, ("a_b", *"cdefg"))
    assert shown(lines[0]).startswith("**a_b**: crossed at epoch")
    assert f"crossed {words}; the SNR begins to fall" in lines[3]
