"""Events in tidy tables: the same as in the arrays, layer by layer, and said in words."""

import numpy as np
import pandas as pd
import pytest

from ibcore.events import COLUMNS, gradient_events, loss_events, turning_events
from ibcore.experiment import log_epochs
from ibcore.phases import compression, crossing, loss_kink, snr_onset

EPOCHS = np.array(log_epochs(3000, 40))
U = np.log1p(EPOCHS) / np.log1p(EPOCHS[-1])


def tidy(name, curves, layer=1):
    """Curves (R, K) as rows in some other order."""
    r, k = np.indices(curves.shape)
    columns = {"epoch": EPOCHS[k.ravel()], "layer": layer, "replicate": r.ravel()}
    table = pd.DataFrame(columns | {name: curves.ravel(), "saturated": False})
    return table.sample(frac=1, random_state=0)


def gradients(*log_snr):
    """Signals for a noise of 1, a layer for each array of log SNR."""
    layers = [tidy("signal", np.exp(c), i) for i, c in enumerate(log_snr, start=1)]
    return pd.concat(layers, ignore_index=True).assign(noise=1.0)


def falling(replicates=6, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.05, (replicates, len(EPOCHS)))
    return 1.5 - 3 * U + noise


def words(events, layer, kind="crossing", column="words"):
    return events[(events["layer"] == layer) & (events["kind"] == kind)][column].item()


def test_every_layer_has_its_crossing_and_its_onset():
    fall, flat = falling(), np.full((6, len(EPOCHS)), 0.5)
    events = gradient_events(gradients(fall, flat, -flat))
    assert tuple(events) == COLUMNS
    assert len(events) == 6
    for kind, found in (
        ("crossing", crossing(np.exp(fall), np.ones_like(fall), EPOCHS)),
        ("onset", snr_onset(np.exp(fall), np.ones_like(fall), EPOCHS)),
    ):
        row = events[(events["layer"] == 1) & (events["kind"] == kind)].iloc[0]
        assert [row["epoch"], row["epoch_lower"], row["epoch_upper"]] == pytest.approx(
            [found.epoch, found.epoch_lower, found.epoch_upper]
        )
    assert words(events, 1) == "crossed"
    assert words(events, 2) == "drift-dominated throughout"
    assert words(events, 3) == "never drift-dominated"
    assert events[events["layer"] > 1]["epoch"].isna().all()
    assert words(events, 2, "onset") == "does not fall for good"


def test_a_dead_replicate_is_named_and_the_others_cross():
    table = gradients(falling())
    table.loc[table["replicate"] == 2, ["signal", "noise"]] = 0.0
    events = gradient_events(table)
    assert words(events, 1) == "crossed"
    assert words(events, 1, column="note") == "5 of 6 crossed, 1 of 6 undefined"


def test_a_replicate_that_ends_early_is_undefined():
    table = gradients(falling())
    table = table[(table["replicate"] != 0) | (table["epoch"] < 100)]
    events = gradient_events(table)
    assert words(events, 1) == "crossed"
    assert words(events, 1, column="note") == "5 of 6 crossed, 1 of 6 undefined"


def test_replicates_that_cross_one_by_one_but_not_together_are_not_said_to_drift():
    never = np.full((2, len(EPOCHS)), -3.0)
    events = gradient_events(gradients(np.vstack([falling(3), never])))
    assert words(events, 1) == "no crossing that the replicates agree on"
    assert words(events, 1, column="note").startswith("3 of 5 crossed")


def test_drift_that_ends_in_a_balance_is_not_said_to_last_throughout():
    balanced = np.where(U < 0.3, 1.0, -0.1) * np.ones((6, 1))
    assert "no lasting diffusion" in words(gradient_events(gradients(balanced)), 1)


def test_few_replicates_are_said_to_be_few():
    assert "too few replicates" in words(gradient_events(gradients(falling(2))), 1, column="note")


def test_the_turn_of_the_information_is_that_of_the_verdict():
    rng = np.random.default_rng(1)
    rise = 3 + np.minimum(U, 0.5) * 4 - np.maximum(U - 0.5, 0) * 4
    i_xt = rise + rng.normal(0, 0.02, (8, len(EPOCHS)))
    events = turning_events(tidy("i_xt", i_xt))
    found = compression(i_xt, EPOCHS)
    assert found.resolved
    assert events["epoch"].item() == found.epoch
    assert events["words"].item() == "turns"


@pytest.mark.parametrize(
    ("replicates", "said"), [(8, "does not turn"), (3, "too few replicates for a turn")]
)
def test_noise_about_a_constant_does_not_turn(replicates, said):
    """Its highest point lies somewhere inside, above its end: that is chance."""
    turned = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        flat = 3 + rng.normal(0, 0.2, (replicates, len(EPOCHS)))
        turned.append(turning_events(tidy("i_xt", flat)).iloc[0])
    assert sum(np.isfinite(event["epoch"]) for event in turned) <= 1
    assert said in {event["words"] for event in turned}


def test_without_a_sound_replicate_nothing_turns():
    lost = turning_events(tidy("i_xt", np.full((3, len(EPOCHS)), np.nan)))
    assert np.isnan(lost["epoch"].item())


def test_the_kink_of_the_loss_is_one_row_for_all_layers():
    loss = np.where(EPOCHS < 60, 1.0, (EPOCHS.clip(1) / 60.0) ** -1)
    loss = np.tile(loss, (3, 1)) * np.array([[1.0], [1.1], [0.9]])
    history = tidy("train_loss", loss).drop(columns="layer")
    events, found = loss_events(history), loss_kink(loss, EPOCHS)
    assert events["layer"].item() == 0
    assert events["epoch"].item() == found.epoch
    assert 40 < found.epoch < 90
    assert events["words"].item().startswith("slope of log loss")


def test_short_runs_have_no_events():
    early = gradients(falling())
    early = early[early["epoch"] < 5]
    assert gradient_events(early).empty
    assert turning_events(early.assign(i_xt=1.0)).empty
    assert loss_events(early.assign(train_loss=1.0)).empty
