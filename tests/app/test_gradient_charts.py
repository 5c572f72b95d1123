"""Charts of the gradient phases: what is drawn where, and what is left out."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from altair import VConcatChart
from hypothesis import given, settings
from hypothesis import strategies as st

import charts
import export
from charts.logs import LADDERS, log_row
from charts.spread import geometric_table

from .synthetic import (
    EPOCHS,
    NAMES,
    gradient_events,
    gradient_table,
    loss_table,
    overlay,
    tables,
    weight_table,
)
from .test_charts import marks, texts

SETTINGS = charts.EpochSettings(NAMES, EPOCHS, heading="some words")
LAST = math.log1p(EPOCHS[-1])


def gradient(defined=None, events=None, squared=False, **changes) -> dict:
    defined = gradient_table() if defined is None else defined
    events = gradient_events() if events is None else events
    history = tables(replicates=max(1, defined["replicate"].nunique()))[1]
    settings = replace(SETTINGS, **changes)
    return charts.gradient_figure(defined, events, history, settings, squared=squared)


def definitions(table=None, **changes) -> dict:
    table = overlay() if table is None else table
    return charts.definitions_figure(table, replace(SETTINGS, **changes))


def losses(table=None, **changes) -> dict:
    table = loss_table() if table is None else table
    return charts.loss_change_figure(table, replace(SETTINGS, **changes))


def weights(table=None, **changes) -> dict:
    table = weight_table() if table is None else table
    return charts.weights_figure(table, replace(SETTINGS, **changes))


def rows(spec: dict, name: str) -> pd.DataFrame:
    return pd.DataFrame(spec["datasets"][name])


def items(spec: dict, marktype: str) -> list[list[dict]]:
    return [m["items"] for m in marks(spec) if m["marktype"] == marktype and m["role"] == "mark"]


def upright(spec: dict) -> list[dict]:
    """Every vertical rule of at least half a small panel."""
    found = [i for group in items(spec, "rule") for i in group]
    return [i for i in found if abs(i.get("y2", i["y"]) - i["y"]) > 60]


FIGURES = pytest.mark.parametrize("draw", [gradient, definitions, losses, weights])


# What all of them have in common


@FIGURES
def test_figures_are_valid_vega_lite(draw):
    one = {"events": gradient_events(1), "layer_names": NAMES[:1]}
    spec = draw(gradient_table(n_layers=1), **one) if draw is gradient else draw()
    spec["datasets"] = {name: [] for name in spec["datasets"]}
    VConcatChart.validate(spec)
    assert spec["description"]


@FIGURES
def test_figures_become_whole_pictures(draw):
    spec = draw()
    assert export.to_png(spec, ["Words."]).startswith(b"\x89PNG")
    assert export.to_pdf(spec, ["Words."]).rstrip().endswith(b"%%EOF")
    svg = export.to_svg(spec, ["Words."]).decode()
    assert "some words" in svg
    assert "NaN" not in svg
    assert b"some words" in export.to_html(spec)


@FIGURES
def test_rows_hold_single_values(draw):
    """A page may send rows in a format whose lists are no arrays to Vega."""
    datasets = charts.plain(draw())["datasets"]
    values = [v for rows in datasets.values() for row in rows for v in row.values()]
    assert all(isinstance(v, str | bool | int | float | None) for v in values)


@FIGURES
def test_only_the_data_change_with_the_data(draw):
    seed = {gradient: gradient_table, definitions: overlay, losses: loss_table}
    table = seed.get(draw, weight_table)(replicates=1)
    early, late = draw(table[table["epoch"] <= 3], heading="others"), draw()
    assert early.pop("datasets").keys() == late.pop("datasets").keys()
    assert early == late


@FIGURES
def test_figures_carry_their_own_theme_and_only_that(draw):
    for theme, other in (("light", "dark"), ("dark", "light")):
        text = str(charts.plain(draw(theme=theme)))
        look, wrong = charts.THEMES[theme], charts.THEMES[other]
        assert look.text in text
        assert not any(colour in text for colour in (*wrong.layers, wrong.text, wrong.muted))


@FIGURES
def test_one_replicate_has_no_bands(draw):
    table = {gradient: gradient_table, definitions: overlay, losses: loss_table}
    spec = draw(table.get(draw, weight_table)(replicates=1))
    assert all(not area for area in items(spec, "area"))
    assert any(text.startswith("1 replicate") for text in texts(spec))


@FIGURES
def test_a_run_without_any_row_yet_is_an_empty_figure(draw):
    table = {gradient: gradient_table, definitions: overlay, losses: loss_table}
    spec = draw(table.get(draw, weight_table)().iloc[:0])
    assert all(not line for line in items(spec, "line") if len(line) != len(EPOCHS))
    assert not any("replicate" in text for text in texts(spec))


@FIGURES
def test_an_epoch_outside_the_settings_is_refused(draw):
    with pytest.raises(ValueError, match="epoch: 40 of the table"):
        draw(epochs=(0, 1, 3, 10, 100))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"theme": "blue"}, "theme: 'blue' is not allowed; use light or dark"),
        ({"epochs": (3, 1)}, "epochs: use at least one epoch"),
        ({"width": 100}, "width: 100 is not allowed"),
        ({"layer_names": ()}, "layer_names: use at least one name"),
    ],
)
def test_settings_refuse_what_cannot_be_drawn(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **changes)


# Means and axes


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.floats(-1, 0) | st.floats(1e-99, 9) | st.just(math.nan)),
        min_size=1,
    )
)
def test_geometric_table_equals_its_slow_twin(pairs):
    """Mean and deviation of logarithms over what is above 0, whatever else there is."""
    table = pd.DataFrame(pairs, columns=["layer", "a"])
    for row in geometric_table(table, ["a"], ["layer"]).to_dict("records"):
        logs = [math.log(v) for layer, v in pairs if layer == row["layer"] and v > 0]
        assert row["replicates"] == len(logs)
        if not logs:
            assert math.isnan(row["a"])
            continue
        mean = sum(logs) / len(logs)
        assert math.log(row["a"]) == pytest.approx(mean, abs=1e-9)
        if len(logs) > 1:
            sd = math.sqrt(sum((v - mean) ** 2 for v in logs) / (len(logs) - 1))
            assert math.log(row["a_high"]) == pytest.approx(mean + sd, abs=1e-5)
            assert math.log(row["a_low"]) == pytest.approx(mean - sd, abs=1e-5)
        else:
            assert math.isnan(row["a_low"])


@given(st.lists(st.floats(1e-12, 1e9), max_size=5))
def test_a_logarithmic_axis_holds_its_values_and_has_two_to_six_ticks(values):
    row = log_row("a", np.array([*values, 0, -1, math.nan, math.inf]))
    low, high = row["a_low"], row["a_high"]
    ticks = [tick for tick in LADDERS[row["a_ladder"]] if low <= tick <= high]
    assert all(low <= v * (1 + 1e-9) and v <= high * (1 + 1e-9) for v in values)
    assert 2 <= len(ticks) <= 6


# Signal and noise


def test_there_is_a_panel_per_layer_with_its_name_and_its_outcome():
    spec = gradient()
    said = texts(spec)
    panels = [m for m in marks(spec) if str(m.get("name")).startswith("layer_")]
    lines = [m["items"] for m in panels]
    assert len({m["name"] for m in panels}) == 3
    assert [len(line) for line in lines] == [len(EPOCHS)] * 6
    assert all(said.count(name) == 2 for name in NAMES)
    assert {"crossed at 29 [20, 40]", "drift-dominated throughout"} <= set(said)


def test_levels_are_geometric_means_and_the_noise_is_dashed():
    table = gradient_table()
    spec = gradient(table)
    levels = rows(spec, "levels")
    one = levels[(levels["layer"] == 2) & (levels["epoch"] == 10)].set_index("series")["value"]
    here = table[(table["layer"] == 2) & (table["epoch"] == 10)]
    for name in ("signal", "noise", "floor"):
        assert one[name] == pytest.approx(np.exp(np.log(here[name]).mean()))
    dashes = [line[0].get("strokeDash") for line in items(spec, "line")]
    assert dashes.count([5, 3]) == 3
    assert dashes.count([1, 3]) == 6


def test_rules_and_bands_stand_at_the_events():
    """A rule in each panel with a crossing, and the kink in the loss and through the strip."""
    spec = gradient()
    inside = SETTINGS.width - 90
    small = (inside - 36) // 3
    expected = [small * math.log1p(28 + i) / LAST for i in (1, 2)]
    kink = inside * math.log1p(25) / LAST
    found = sorted(i["x"] for i in upright(spec))
    assert found == pytest.approx(sorted([*expected, kink, kink]), abs=0.01)
    rects = [i for group in items(spec, "rect") for i in group]
    ticks = [i for i in rects if i["height"] == 18]
    assert [i["x"] + i["width"] / 2 for i in ticks] == pytest.approx(
        [inside * math.log1p(28 + i) / LAST for i in (1, 2)], abs=0.01
    )
    widths = sorted(i["width"] for i in rects if i["height"] > 18)
    crossing = small * (math.log1p(40) - math.log1p(20)) / LAST
    bend = inside * (math.log1p(30) - math.log1p(15)) / LAST
    assert widths == pytest.approx([crossing] * 2 + [bend] * 2, abs=0.01)


def test_the_strip_has_a_mark_and_a_bar_for_what_is_known():
    spec = gradient()
    events = rows(spec, "events")
    assert events["kind"].value_counts().to_dict() == {
        "crossing": 2,
        "onset": 2,
        "turning": 2,
        "kink": 1,
    }
    drawn = next(m["items"] for m in marks(spec) if m.get("name") == "event_marks_marks")
    assert len(drawn) == 6
    assert len({i["shape"] for i in drawn}) == 3
    bars = [g for g in items(spec, "rule") if g and g[0].get("strokeWidth") == 2]
    assert [len(bar) for bar in bars] == [4]
    heights = sorted(i["y"] for i in drawn)
    assert len(set(heights)) == 6
    assert max(heights) < 2.5 * 26


def test_an_unknown_kind_of_event_is_refused():
    with pytest.raises(ValueError, match="kind: 'end' is not allowed; use crossing, onset"):
        gradient(events=gradient_events().replace("onset", "end"))


@pytest.mark.parametrize(("squared", "power"), [(False, 1), (True, 2)])
def test_the_ratio_and_its_floor_are_squared_together(squared, power):
    spec = gradient(squared=squared)
    ratios = rows(spec, "ratios")
    assert ratios["floor"].to_numpy() == pytest.approx(12 ** (-power / 2))
    table = gradient_table()
    here = table[(table["layer"] == 1) & (table["epoch"] == 40)]["snr"]
    drawn = ratios[(ratios["layer"] == 1) & (ratios["epoch"] == 40)]["value"].item()
    assert drawn == pytest.approx(np.exp(power * np.log(here).mean()))
    title = "signal² / noise²" if squared else "signal / noise"
    assert title in texts(spec)


def test_nothing_is_drawn_for_zero_infinity_and_nan():
    """A dead replicate leaves the others alone; a full batch has no noise and no ratio."""
    table = gradient_table()
    dead = (table["layer"] == 1) & (table["replicate"] == 0)
    table.loc[dead, ["signal", "noise", "floor"]] = 0.0
    table.loc[dead, "snr"] = math.nan
    full = table["layer"] == 2
    table.loc[full, ["noise", "floor"]] = 0.0
    table.loc[full, "snr"] = math.inf
    spec = gradient(table)
    levels, ratios = rows(spec, "levels"), rows(spec, "ratios")
    assert levels["value"].gt(0).all()
    assert np.isfinite(levels["value"]).all()
    assert set(levels.loc[levels["layer"] == 2, "series"]) == {"signal"}
    assert set(ratios["layer"]) == {1, 3}
    alive = table[~dead & (table["layer"] == 1) & (table["epoch"] == 10)]["signal"]
    one = levels[(levels["layer"] == 1) & (levels["epoch"] == 10)].iloc[0]
    assert one["value"] == pytest.approx(np.exp(np.log(alive).mean()))
    assert "replicates: 2" in one["tip"]
    assert "noise undefined" in levels.loc[levels["layer"] == 2, "tip"].iloc[0]


# Definitions


def test_definitions_have_a_colour_and_protocols_a_mark():
    spec = definitions()
    lines = items(spec, "line")
    assert len(lines) == 2 * 2 * 2 + 2 * 2
    assert len({line[0]["stroke"] for line in lines}) == 2
    visible = [i for g in items(spec, "symbol") for i in g if i.get("fill") != "transparent"]
    assert len({i["shape"] for i in visible}) == 2
    said = set(texts(spec))
    assert {"layer", "caption", "fixed weights", "along the epoch", "signal = noise"} <= said


def test_definitions_refuse_several_layers():
    with pytest.raises(ValueError, match=r"layer: \[1, 2, 3\] is not allowed; use one layer"):
        definitions(gradient_table().assign(definition="layer", protocol="fixed"))


# Change of the loss


def hollow(spec: dict) -> list[dict]:
    symbols = [i for g in items(spec, "symbol") for i in g]
    return [i for i in symbols if i.get("fillOpacity") == 0 and i.get("stroke")]


def test_a_loss_that_rose_is_a_hollow_mark_at_its_size():
    table = loss_table()
    means = table.groupby(["kind", "epoch"])[["measured", "predicted"]].mean().reset_index()
    rose = means[means["measured"] > 0]
    spec = losses(table)
    assert 0 < len(rose) == len(hollow(spec))
    changes = rows(spec, "changes")
    measured = changes[changes["series"] == "measured"]
    assert measured["value"].to_numpy() == pytest.approx(means["measured"].abs().to_numpy())
    assert changes["value"].gt(0).all()
    assert "measured, the loss rose" in texts(spec)


def test_ratios_are_medians_over_replicates_and_stay_within_the_axis():
    table = loss_table(replicates=2)
    real = table["kind"] == "real"
    table.loc[real & (table["epoch"] == 3), "measured"] = 1.0
    table.loc[real & (table["epoch"] == 1), "measured"] = -1.0
    spec = losses(table)
    ratios = rows(spec, "ratios").set_index(["kind", "epoch"])
    own = table.assign(ratio=table["measured"] / table["predicted"])
    groups = own.groupby(["kind", "epoch"])["ratio"]
    for name, share in (("low", 0.25), ("ratio", 0.5), ("high", 0.75)):
        expected = groups.quantile(share).loc[ratios.index]
        assert ratios[name].to_numpy() == pytest.approx(expected.to_numpy())
    assert ratios.loc[("real", 3), ["shown", "beyond"]].tolist() == [-1, -1]
    assert ratios.loc[("real", 1), ["shown", "beyond"]].tolist() == [3, 1]
    triangles = [
        i
        for g in items(spec, "symbol")
        for i in g
        if str(i.get("shape")).startswith("triangle") and i["y"] in (0, 200)
    ]
    assert len(triangles) == (ratios["beyond"] != 0).sum()


def test_what_is_predicted_or_measured_as_nothing_is_left_out():
    table = loss_table()
    table.loc[table["epoch"] == 10, "predicted"] = 0.0
    table.loc[table["epoch"] == 40, "measured"] = math.nan
    for name in ("changes", "ratios"):
        assert set(rows(losses(table), name)["epoch"]) == set(EPOCHS) - {10, 40}


def test_the_key_names_the_rates_there_are():
    assert {"virtual rate 0.001", "real rate 0.1"} <= set(texts(losses()))
    table = loss_table()
    virtual = losses(table[table["kind"] == "virtual"])
    assert not any(text.startswith("real") for text in texts(virtual))
    with pytest.raises(ValueError, match="kind: 'other' is not allowed; use virtual or real"):
        losses(table.replace("real", "other"))


# Weights


def test_layers_without_a_cosine_are_left_out_and_named():
    spec = weights()
    assert [len(line) for line in items(spec, "line")] == [len(EPOCHS)] * 5
    assert set(rows(spec, "cosines")["layer"]) == {1, 2}
    assert f"no pairs of units, not drawn: {NAMES[2]}" in texts(spec)
    full = weight_table().fillna({"cosine": 0.5})
    assert not any(text.startswith("no pairs") for text in texts(weights(full)))


def test_norms_are_geometric_and_cosines_arithmetic_means():
    table = weight_table()
    spec = weights(table)
    here = table[(table["layer"] == 2) & (table["epoch"] == 40)]

    def drawn(name: str) -> pd.Series:
        all_rows = rows(spec, name)
        return all_rows[(all_rows["layer"] == 2) & (all_rows["epoch"] == 40)].iloc[0]

    norm, cosine = drawn("norms"), drawn("cosines")
    assert norm["value"] == pytest.approx(np.exp(np.log(here["weight_norm"]).mean()))
    assert cosine["value"] == pytest.approx(here["cosine"].mean())
    assert cosine["high"] - cosine["value"] == pytest.approx(here["cosine"].std())
