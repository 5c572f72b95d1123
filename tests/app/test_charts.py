"""Charts: the numbers that are drawn, the specifications, and what comes of them."""

import ast
import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vl_convert
from altair import LayerChart, VConcatChart
from hypothesis import given, settings
from hypothesis import strategies as st

import charts
from charts.layers import colour
from charts.network import HEIGHT
from charts.tables import turning_points, with_checkpoint
from charts.theme import SHAPES, layer_colours, layer_shapes

from .synthetic import EPOCHS, NAMES, curves, tables

SETTINGS = charts.PlaneSettings(
    h_x=7.0, h_y=1.0, n_samples=128, layer_names=NAMES, epochs=EPOCHS, estimator_label="30 bins"
)
PACKAGE = Path(charts.__file__).parent


def plane(table=None, history=None, **changes) -> dict:
    own_table, own_history = tables()
    table = own_table if table is None else table
    history = own_history if history is None else history
    figure = charts.plane_figure(table, history, replace(SETTINGS, **changes))
    return charts.plain(figure)


def marks(spec: dict) -> list[dict]:
    """Every mark that Vega draws: its name, type and items, group by group."""
    found = []

    def walk(node: dict) -> None:
        if "marktype" in node and node["marktype"] != "group":
            found.append(node)
        for child in node.get("items", []):
            walk(child)

    walk(vl_convert.vegalite_to_scenegraph(charts.plain(spec), allowed_base_urls=[])["scenegraph"])
    return found


def texts(spec: dict) -> list[str]:
    return [str(i["text"]) for m in marks(spec) if m["marktype"] == "text" for i in m["items"]]


def path_lengths(spec: dict, name: str) -> list[int]:
    return [len(m["items"]) for m in marks(spec) if m.get("name") == f"{name}_marks"]


# Means and their spread


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-5, 12)), min_size=1, max_size=30))
def test_mean_table_equals_its_slow_twin(rows):
    """The mean and the sample deviation of each group are those of a plain loop."""
    table = pd.DataFrame(rows, columns=["layer", "i_xt"]).assign(epoch=3, i_ty=0.5, saturated=True)
    means = charts.mean_table(table)
    for row in means.to_dict("records"):
        values = [v for layer, v in rows if layer == row["layer"]]
        mean = sum(values) / len(values)
        assert row["i_xt"] == pytest.approx(mean, abs=1e-12)
        assert row["replicates"] == row["saturated"] == len(values)
        if len(values) == 1:
            assert math.isnan(row["i_xt_sd"])
        else:
            sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
            assert row["i_xt_sd"] == pytest.approx(sd, abs=1e-6)
            assert row["i_xt_high"] - row["i_xt_low"] == pytest.approx(2 * sd, abs=1e-6)


def test_mean_table_takes_the_replicates_that_have_a_value():
    rows = [
        (1, 2.0),
        (1, math.nan),
        (1, 5.0),
        (2, math.nan),
        (2, math.nan),
        (3, 7.0),
        (3, math.nan),
    ]
    table = pd.DataFrame(rows, columns=["layer", "i_xt"]).assign(epoch=0, i_ty=0.5, saturated=False)
    means = charts.mean_table(table)
    np.testing.assert_array_equal(means["i_xt"], [3.5, math.nan, 7.0])
    np.testing.assert_allclose(means["i_xt_sd"], [math.sqrt(4.5), math.nan, math.nan])
    assert means["replicates"].tolist() == [3, 2, 2]


def test_mean_table_leaves_out_what_the_estimator_does_not_give():
    means = charts.mean_table(tables()[0])
    assert means["i_xt_lower"].isna().all()
    means = charts.mean_table(tables(bounds=True)[0])
    assert means["h_t"].isna().all()
    np.testing.assert_allclose(means["i_xt"] - means["i_xt_lower"], 1)


def test_a_page_is_not_sent_columns_without_a_number():
    bounds = {"i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper"}
    assert not bounds & set(plane(tables()[0])["datasets"]["means"][0])
    assert bounds <= set(plane(tables(bounds=True)[0])["datasets"]["means"][0])


def test_history_mean_is_long_in_the_split_and_has_no_test_without_a_test_set():
    _, history = tables(replicates=2)
    means = charts.history_mean(history)
    assert set(means["split"]) == {"train", "test"}
    one = means[(means["split"] == "test") & (means["epoch"] == 10)].iloc[0]
    a, b = history.loc[history["epoch"] == 10, "test_loss"]
    assert one["loss"] == pytest.approx((a + b) / 2)
    assert one["loss_high"] - one["loss"] == pytest.approx(abs(a - b) / math.sqrt(2))
    alone = history.drop(columns=["test_loss", "test_accuracy"])
    assert set(charts.history_mean(alone)["split"]) == {"train"}


def test_a_long_history_is_thinned_but_keeps_its_ends():
    epochs = np.arange(8001)
    history = pd.DataFrame({"epoch": epochs, "train_loss": 1.0, "train_accuracy": 0.5})
    kept = charts.history_mean(history)["epoch"].tolist()
    assert (kept[0], kept[-1]) == (0, 8000)
    assert 100 < len(kept) <= 240
    assert {1, 2, 3} <= set(kept)


def test_rows_are_plain_json_without_nan_or_infinity():
    table = pd.DataFrame({"a": [1, 2], "b": [math.nan, math.inf], "c": [True, False]})
    rows = charts.plain({"datasets": {"few": [], "many": table}})["datasets"]
    many = [{"a": 1, "b": None, "c": True}, {"a": 2, "b": None, "c": False}]
    assert rows == {"few": [], "many": many}
    json.dumps(plane(tables(replicates=1, bounds=True)[0])["datasets"], allow_nan=False)


def test_an_epoch_outside_the_settings_is_refused():
    with pytest.raises(ValueError, match="epoch: 40 of the table"):
        with_checkpoint(tables()[0], (0, 1, 3, 10, 100))


# The main figure


def test_the_plane_figure_is_valid_vega_lite():
    spec = plane()
    spec["datasets"] = {name: rows[:2] for name, rows in spec["datasets"].items()}
    VConcatChart.validate(spec)
    assert spec["description"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_figure_carries_its_own_theme_and_only_that(theme):
    spec = plane(theme=theme)
    other = charts.THEMES["dark" if theme == "light" else "light"]
    assert spec["config"]["axis"]["titleColor"] == charts.THEMES[theme].text
    text = json.dumps(spec)
    assert all(colour in text for colour in charts.THEMES[theme].layers[:3])
    assert not any(colour in text for colour in (*other.layers, other.text, other.muted))


def test_paths_end_at_the_checkpoint_that_is_chosen():
    spec = plane(start_at=2)
    assert path_lengths(spec, "plane_lines") == [3, 3, 3]
    assert path_lengths(spec, "i_xt_lines") == [len(EPOCHS)] * 3
    assert "epoch 3" in texts(spec)
    assert path_lengths(plane(), "plane_lines") == [len(EPOCHS)] * 3


def test_a_run_in_progress_shows_the_last_checkpoint_it_has():
    table, history = tables()
    spec = plane(table[table["epoch"] <= 10], history[history["epoch"] <= 10])
    assert "epoch 10" in texts(spec)
    assert path_lengths(spec, "plane_lines") == [4, 4, 4]


def test_a_checkpoint_that_is_missing_shows_the_one_before_it():
    table, history = tables()
    holes = table[table["epoch"].isin([1, 3, 40])]
    shown = [row["shown"] for row in plane(holes, history)["datasets"]["checkpoints"]]
    assert shown == [1, 1, 2, 2, 4, 4]
    assert "epoch 3" in texts(plane(holes, history, start_at=3))


def test_a_run_without_any_estimate_yet_is_an_empty_plane():
    table, history = tables()
    spec = plane(table.iloc[:0], history.iloc[:0])
    assert not any(text.startswith("epoch 1") for text in texts(spec))
    assert "H(Y) = 1 bit" in texts(spec)


def test_only_the_data_change_while_a_run_goes_on_or_the_estimator_changes():
    """A page keeps its slider where it is as long as the rest stays the same."""
    table, history = tables()
    early = plane(table[table["epoch"] <= 3], history[history["epoch"] <= 3])
    late = plane(table.assign(i_xt_lower=1.0, i_xt_upper=2.0), estimator_label="KDE")
    assert early.pop("datasets") != late.pop("datasets")
    assert early == late


def test_one_replicate_has_no_band_and_no_thin_paths():
    spec = plane(*tables(replicates=1))
    assert spec["datasets"]["replicates"] == []
    assert "1 replicate" in texts(spec)
    areas = [m for m in marks(spec) if m["marktype"] == "area"]
    assert all(not m["items"] for m in areas)
    several = [m for m in marks(plane()) if m["marktype"] == "area"]
    assert [len(m["items"]) for m in several] == [len(EPOCHS)] * 10


def test_the_key_of_the_splits_lies_in_its_panel_and_names_what_there_is():
    table, history = tables()

    def places(spec: dict) -> dict:
        found = [i for m in marks(spec) if m["marktype"] == "text" for i in m["items"]]
        return {i["text"]: i["x"] for i in found if i["text"] in ("train", "test")}

    both = places(plane(table, history))
    rules = [m["items"] for m in marks(plane(table, history)) if m["marktype"] == "rule"]
    assert [abs(i["x2"] - i["x"]) for i in rules[-1]] == [22, 22]
    assert 100 < both["train"] < both["test"] < SETTINGS.width / 2
    assert set(places(plane(table, history.drop(columns=["test_loss", "test_accuracy"])))) == {
        "train"
    }


def test_one_checkpoint_is_enough():
    table, history = tables()
    spec = plane(table[table["epoch"] == 0], history[history["epoch"] == 0], epochs=(0,))
    assert "epoch 0" in texts(spec)


def test_a_diverged_layer_stops_while_the_others_go_on():
    table, history = tables()
    table = table[(table["layer"] != 2) | (table["epoch"] <= 3)]
    assert sorted(path_lengths(plane(table, history), "plane_lines")) == [3, 6, 6]


def test_saturated_means_are_crossed_out_and_explained():
    table, history = tables()
    crossed = plane(table, history)
    n = (table.groupby(["epoch", "layer"])["saturated"].mean() > 0.5).sum()
    shapes = [
        [i for i in m["items"] if str(i.get("shape", "")).startswith("M-1,-1")]
        for m in marks(crossed)
        if m["marktype"] == "symbol"
    ]
    assert 0 < n == max(map(len, shapes))
    assert any(text.startswith("× saturated") for text in texts(crossed))
    plain = plane(table.assign(saturated=False), history)
    assert "no estimate is saturated (close to the most that the samples allow)" in texts(plain)


def test_bounds_are_drawn_from_the_lower_to_the_upper_one():
    table, history = tables(bounds=True)
    rules = [m for m in marks(plane(table, history)) if m["marktype"] == "rule"]
    lengths = [len(m["items"]) for m in rules]
    assert lengths.count(3) == 2
    row = plane(table, history)["datasets"]["means"][0]
    assert f"I(X;T) from {row['i_xt'] - 1:.3f} to {row['i_xt']:.3f}" in row["tip"]


def test_the_limits_are_named():
    said = texts(plane())
    assert "H(X) = log2 128 = 7 bits" in said
    assert "H(Y) = 1 bit" in said
    assert "H(X) = 6.5 bits" in texts(plane(h_x=6.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"theme": "blue"}, "theme: 'blue' is not allowed; use light or dark"),
        ({"epochs": (3, 1)}, "epochs: use at least one epoch"),
        ({"h_y": 0.0}, "h_x, h_y"),
        ({"start_at": 6}, "start_at: 6 is not allowed; use None or an index from 0 to 5"),
        ({"width": 100}, "width: 100 is not allowed"),
        ({"height": 100}, "height: 100 is not allowed"),
    ],
)
def test_settings_refuse_what_cannot_be_drawn(changes, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        replace(SETTINGS, **changes)


# The other figures


def test_small_multiples_have_one_panel_per_value_and_mark_the_current_one():
    spec = charts.small_multiples(curves(), "n_bins", [2, 10, 30], SETTINGS, current=10.0)
    assert [row["current"] for row in spec["datasets"]["panels"]] == [False, True, False]
    said = texts(spec)
    assert said.count("current") == 1
    assert sum(text.startswith(("2 bins", "10 bins", "30 bins")) for text in said) == 3
    assert [len(path_lengths(spec, f"panel_{i}_lines")) for i in range(3)] == [3, 3, 3]


def test_small_multiples_refuse_a_value_that_was_not_computed():
    with pytest.raises(ValueError, match="values: 7 is not a value of n_bins"):
        charts.small_multiples(curves(), "n_bins", [2, 7], SETTINGS)


@pytest.mark.parametrize("quantity", ["i_xt", "i_ty"])
def test_heat_map_cells_are_the_means_and_tile_the_epochs(quantity):
    table = curves()
    spec = charts.heat_map(table, "n_bins", 10, SETTINGS, quantity)
    cells = pd.DataFrame(spec["datasets"]["cells"])
    assert len(cells) == len(EPOCHS) * 3 * 4
    here = (table["layer"] == 2) & (table["n_bins"] == 5) & (table["epoch"] == 10)
    one = cells[(cells["layer"] == 2) & (cells["value"] == 5) & (cells["epoch"] == 10)]
    assert one["bits"].item() == pytest.approx(table.loc[here, quantity].mean(), abs=1e-4)
    edges = cells[["epoch", "left", "right"]].drop_duplicates().sort_values("epoch")
    assert (edges["left"].iloc[0], edges["right"].iloc[-1]) == (0, EPOCHS[-1])
    assert edges["left"].tolist()[1:] == edges["right"].tolist()[:-1]
    assert edges["left"].le(edges["epoch"]).all()
    assert edges["right"].ge(edges["epoch"]).all()


def test_heat_map_frames_the_current_value_only_if_the_table_has_it():
    framed = charts.heat_map(curves(), "n_bins", 10, SETTINGS)
    assert framed["datasets"]["current"] == [{"value": 10.0}]
    assert charts.heat_map(curves(), "n_bins", 11, SETTINGS)["datasets"]["current"] == []
    assert charts.heat_map(curves(), "n_bins", None, SETTINGS)["datasets"]["current"] == []
    rects = [m for m in marks(framed) if m["marktype"] == "rect" and m["role"] == "mark"]
    assert [len(m["items"]) for m in rects] == [len(EPOCHS) * 4, 1] * 3


def test_heat_map_refuses_other_quantities_and_parameters():
    with pytest.raises(ValueError, match="quantity: 'h_t' is not allowed"):
        charts.heat_map(curves(), "n_bins", 10, SETTINGS, "h_t")
    with pytest.raises(ValueError, match="parameter: 'layer' is not allowed"):
        charts.heat_map(curves(), "layer", 1, SETTINGS)


def drawn(*shapes):
    """Layers of those shapes: X, tanh, softmax; images by kernels of 3 x 3."""
    words = ["X", *["tanh"] * (len(shapes) - 2), "softmax"]
    return [
        charts.DrawnLayer(shape, word, word, None if isinstance(shape, int) or i == 0 else 3)
        for i, (shape, word) in enumerate(zip(shapes, words, strict=False))
    ]


def test_network_drawing_has_a_circle_per_unit_and_a_line_per_weight():
    spec = charts.network_drawing(drawn(12, 10, 2))
    assert len(spec["datasets"]["units"]) == 12 + 10 + 2
    assert len(spec["datasets"]["weights"]) == 12 * 10 + 10 * 2
    for name in ("dots", "maps", "kernels", "sides", "dropout"):
        assert spec["datasets"][name] == []
    assert {"X", "tanh", "softmax", "12", "10", "2"} <= set(texts(spec))


def test_network_drawing_abbreviates_wide_layers_and_says_their_width():
    spec = charts.network_drawing(drawn(784, 1024, 10), "dark")
    assert len(spec["datasets"]["units"]) == 8 + 8 + 10
    assert len(spec["datasets"]["dots"]) == 2
    assert {"784", "1,024", "10"} <= set(texts(spec))


STACK = [
    charts.DrawnLayer((1, 28, 28), "X", "X"),
    charts.DrawnLayer((32, 26, 26), "conv32k3 relu", "relu", 3, 0.0, 320),
    charts.DrawnLayer((32, 13, 13), "pool2", "", 2, 0.25),
    charts.DrawnLayer(128, "128 relu", "relu", None, 0.5, 692_352),
    charts.DrawnLayer(10, "10 softmax", "softmax", None, 0.0, 1290),
]


def test_images_are_drawn_as_feature_maps_with_their_kernels_and_dropout():
    spec = charts.network_drawing(STACK, "dark", 236)
    rows = spec["datasets"]
    assert [sum(m["layer"] == i for m in rows["maps"]) for i in range(4)] == [1, 5, 5, 0]
    side = {m["layer"]: m["x2"] - m["x"] for m in rows["maps"]}
    assert side[0] > side[1] > 1.3 * side[2]
    for square, (below, share) in zip(rows["kernels"], [(0, 3 / 28), (1, 2 / 26)], strict=True):
        (front,) = [m for m in rows["maps"] if m["layer"] == below][-1:]
        assert square["x2"] - square["x"] == pytest.approx(max(2.5, share * side[below]))
        assert front["x"] <= square["x"] < square["x2"] <= front["x2"]
        assert front["y"] <= square["y"] < square["y2"] <= front["y2"]
    # Two from each kernel, then from the maps to 8 units and from these to 10.
    assert len(rows["weights"]) == 2 + 2 + 8 + 80
    said = {"1@28×28", "32@26×26", "32@13×13", "128", "3×3", "max 2×2", "0.25", "0.5", "relu"}
    assert said <= set(texts(spec))
    narrow = charts.network_drawing(STACK, width=180)["datasets"]
    assert narrow["numbers"][1]["text"] == "32@\n26×26"
    assert [row["text"] for row in narrow["sides"]] == ["3×3", "2×2"]
    told = rows["columns"][2]
    assert told | {"shape": "32 × 13 × 13 = 5,408", "parameters": "0", "dropout": "0.25"} == told


@pytest.mark.parametrize(
    "shapes",
    [
        [12, 10, 7, 5, 4, 3, 2],
        [(3, 32, 32), *[(64, 1, 1)] * 31, 100],
        [(1, 5, 40), (16, 3, 38), 10],
        [784, *[16_384] * 32, 10],
    ],
)
def test_layers_stand_side_by_side_within_the_drawing(shapes):
    rows = charts.network_drawing(drawn(*shapes), width=236)["datasets"]
    columns = rows["columns"]
    assert columns[0]["x"] == 0
    assert columns[-1]["x2"] == pytest.approx(236)
    for one, next_one in pairwise(columns):
        assert one["x2"] == pytest.approx(next_one["x"])
    for square in rows["maps"]:
        column = columns[square["layer"]]
        assert column["x"] - 1e-9 <= square["x"] < square["x2"] <= column["x2"] + 1e-9
        assert 0 <= square["y"] < square["y2"] <= HEIGHT
    assert all(0 < unit["y"] < HEIGHT for unit in rows["units"])


@pytest.mark.parametrize("shapes", [[3], [3, 0], [(1, 0, 4), 2]])
def test_network_drawing_refuses_no_network(shapes):
    with pytest.raises(ValueError, match="layers"):
        charts.network_drawing(drawn(*shapes))


def test_the_smaller_figures_are_valid_vega_lite():
    LayerChart.validate(charts.network_drawing(STACK))
    for spec in (
        charts.small_multiples(curves(), "n_bins", [2], SETTINGS),
        charts.heat_map(curves(), "n_bins", 2, replace(SETTINGS, layer_names=NAMES[:1])),
    ):
        spec["datasets"] = {name: [] for name in spec["datasets"]}
        VConcatChart.validate(spec)


# Captions


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abc -_", max_size=400), min_size=1, max_size=4))
def test_a_caption_keeps_every_word_and_fits_the_width(lines):
    """Wrapping moves words to new lines and loses none; the chart itself is not changed."""
    chart = charts.network_drawing(drawn(3, 2), width=600)
    wrapped = charts.with_caption(chart, lines)["title"]["text"]
    assert "".join(wrapped).replace(" ", "") == "".join(lines).replace(" ", "")
    assert max(map(len, wrapped)) * 5.6 <= 600
    assert "title" not in chart


# Colours, and what the package may use


def _linear(colour: str) -> np.ndarray:
    """Linear red, green and blue of sRGB (IEC 61966-2-1)."""
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _contrast(a: str, b: str) -> float:
    """Contrast ratio (L1 + 0.05) / (L2 + 0.05) of WCAG 2.2."""
    high, low = sorted((_linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of linear sRGB under D65."""
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x = matrix @ rgb.clip(0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of
# color vision deficiency" (2009), table 1, severity 1.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out_and_stay_apart_for_every_kind_of_vision(theme):
    look = charts.THEMES[theme]
    assert all(_contrast(c, look.background) >= 3 for c in look.layers)
    assert all(_contrast(c, look.background) >= 4.5 for c in (look.text, look.muted))
    for matrix in VISION.values():
        seen = [_lab(matrix @ _linear(c)) for c in look.layers]
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(gaps) > 12


def test_thirty_two_layers_have_thirty_two_signs():
    signs = zip(layer_colours("light", 32), layer_shapes(32), strict=True)
    assert len(set(signs)) == 32
    assert len(set(SHAPES)) == 8


def test_the_colour_of_a_layer_is_the_same_in_every_figure():
    scale = colour(SETTINGS).to_dict()["scale"]
    drawing = charts.network_drawing(drawn(5, 4, 3, 2))
    fills = {
        item["fill"]
        for m in marks(drawing)
        if m["marktype"] == "symbol"
        for item in m["items"]
        if "fill" in item
    }
    assert set(scale["range"]) < fills


def test_charts_import_neither_the_page_nor_the_training():
    files = list(PACKAGE.glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"streamlit", "torch", "ibcore"}, file


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=40))
def test_no_point_lies_farther_from_its_drawn_path_than_the_tolerance(points):
    x, y = [p[0] for p in points], [p[1] for p in points]
    kept = turning_points(x, y, 0.05)
    assert kept[0] == 0
    assert kept[-1] == len(points) - 1
    for first, last in pairwise(kept):
        a, b = np.array(points[first]), np.array(points[last])
        for i in range(first + 1, last):
            along = np.clip((points[i] - a) @ (b - a) / max((b - a) @ (b - a), 1e-300), 0, 1)
            beside = np.linalg.norm(points[i] - a - along * (b - a))
            # Beyond an end of the stretch the line still counts, and the path passes there.
            line = abs(np.linalg.det([b - a, points[i] - a])) / max(np.linalg.norm(b - a), 0.05)
            assert min(beside, line) <= 0.05 + 1e-12


def test_a_straight_path_needs_its_ends_only():
    assert turning_points([0, 1, 2, 3], [0, 2, 4, 6], 1e-9) == [0, 3]
    assert turning_points([0, 1, 2, 3], [0, 2, 4, 0], 1e-9) == [0, 2, 3]
    assert turning_points([5], [5], 1e-9) == [0]


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_packed_chart_says_what_the_chart_says(replicates):
    spec = charts.plane_figure(*tables(replicates=replicates), SETTINGS)
    rows = {name: rows.to_pandas() for name, rows in charts.packed(spec).tables.items()}
    assert charts.plain({"datasets": rows})["datasets"] == charts.plain(spec)["datasets"]


def test_a_packed_list_keeps_the_columns_of_every_row():
    rows = [{"a": 1}, {"b": "x", "a": 2}]
    table = charts.packed({"datasets": {"uneven": rows, "none": []}}).tables
    assert table["uneven"].to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert table["none"].num_rows == 0
