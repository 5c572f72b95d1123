"""Layers before and after training: pictures of activations, planes with bars, what is hidden."""

import base64
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from altair import VConcatChart
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import charts
import export
from charts import PlaneSettings, Seen, comparison_figure, tuning_figure
from charts.montage import HIGHEST, MOST_CHANNELS, grey_scale, layout, montage
from describe_claims import claim_lines
from describe_input import input_lines
from ibcore.claims import HOLDS, claims
from ibcore.comparison import compared

from .test_pages import shown

NAMES = ("1: conv2k3 relu", "2: 4 relu", "3: 3 softmax")
SETTINGS = PlaneSettings(h_x=8, h_y=1.5, n_samples=256, layer_names=NAMES, epochs=(0, 1, 7))
SEEN = Seen(
    before=(np.ones((1, 4, 4)), np.zeros((2, 2, 2)), np.arange(4.0), np.array([0.2, 0.5, 0.3])),
    after=(np.ones((1, 4, 4)), np.ones((2, 2, 2)), np.arange(4.0), np.array([0.1, 0.1, 0.8])),
    headings=("before training: epoch 0", "after training: epoch 7"),
    words=("class 2",),
)


def tables(shift=0.0):
    """Layer 1 at the maximum, layers 2 and 3 on each other before training."""
    rows = [
        (epoch, layer, 0, i_xt - 0.2, i_xt, i_xt, i_ty, max(i_ty - 0.3, 0), i_ty)
        for epoch in (0, 7)
        for layer, i_xt, i_ty in ((1, 8.0, 1.5), (2, 5.0, 0.4), (3, 5.0 - shift, 0.4 + epoch / 7))
    ]
    names = ["epoch", "layer", "replicate", "i_xt_lower", "i_xt_upper", "i_xt", "i_ty"]
    return compared(pd.DataFrame(rows, columns=[*names, "i_ty_lower", "i_ty_upper"]), 0, 7)


def figure(planes=None, seen=SEEN):
    planes = {"concat": tables(), "mean": tables(1.0)} if planes is None else planes
    return comparison_figure(planes, seen, SETTINGS)


def pixels(address: str) -> np.ndarray:
    """Grey, or the red of a frame, and opacity of a picture, (H, W, 2)."""
    start = "data:image/png;base64,"
    assert address.startswith(start)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address[len(start) :]))))[..., [0, 3]]


def test_white_is_the_maximum_and_black_is_zero():
    t = np.arange(288.0).reshape(2, 12, 12)
    grey = pixels(montage(t, layout(t.shape, 200)))[..., 0]
    shades = np.rint(255 * t / 287).astype(int)
    # Two channels side by side, each in a frame of one pixel.
    assert grey.shape == (14, 27)
    assert grey[1:13, 1:13].tolist() == shades[0].tolist()
    assert grey[1:13, 14:26].tolist() == shades[1].tolist()


def test_small_channels_are_enlarged():
    t = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    grey = pixels(montage(t, layout(t.shape, 200)))[..., 0]
    assert grey.shape == (14, 14)
    assert grey[1:13, 1:13].tolist() == (255 * t[0].repeat(6, 0).repeat(6, 1)).tolist()


def test_black_is_minus_the_maximum_where_values_are_negative():
    assert vars(grey_scale(np.array([0.5, -0.8]))) == {"low": -0.8, "high": 0.8}
    assert vars(grey_scale(np.array([0.5, 0.0]))) == {"low": 0.0, "high": 0.5}
    grey = pixels(montage(np.array([-0.8, 0.0, 0.8]), layout((3,), 200)))[..., 0]
    assert [int(grey[4, x]) for x in (5, 14, 23)] == [0, 128, 255]


def test_a_layer_of_zeros_is_black():
    grey, opacity = np.moveaxis(pixels(montage(np.zeros((1, 5, 5)), layout((1, 5, 5), 99))), -1, 0)
    assert (grey[1:-1, 1:-1] == 0).all()
    assert (opacity == 255).all()


def test_places_without_a_unit_are_transparent():
    where = layout((7,), 60)
    assert (where.columns, where.rows) == (3, 3)
    opacity = pixels(montage(np.ones(7), where))[..., 1]
    assert opacity[-4, 4] == 255
    assert (opacity[-4:, 12:] == 0).all()


@given(
    st.one_of(
        st.tuples(st.integers(1, 16_384)),
        st.tuples(st.integers(1, 600), st.integers(1, 64), st.integers(1, 64)),
    )
)
def test_a_layer_of_any_shape_fits_the_width_and_leaves_nothing_out(shape):
    where = layout(shape, 380)
    assert where.width <= 380 + 1e-9
    assert where.count == min(shape[0], MOST_CHANNELS if len(shape) == 3 else shape[0])
    assert (where.rows - 1) * where.columns < where.count <= where.rows * where.columns
    assert where.height <= HIGHEST[1 + (len(shape) == 3)] + 1e-9


def test_every_layer_has_two_pictures_and_the_input_one():
    rows = pd.DataFrame(charts.plain(figure())["datasets"]["pictures"])
    assert rows.groupby("layer").size().to_dict() == {0: 1, 1: 2, 2: 2, 3: 2}
    assert rows["url"][rows["layer"] == 1].nunique() == 2, "before it was black, after it white"


def test_marks_on_each_other_are_listed_at_the_one_on_top():
    rows = pd.DataFrame(charts.plain(figure())["datasets"]["planes"])
    rows = rows.set_index(["definition", "moment", "layer"])
    assert rows.loc[("concat", "before", 2), "also"] == "= 3"
    assert rows.loc[("concat", "before", 3), "covered"]
    assert rows.loc[("concat", "after", 2), "also"] == ""
    assert not rows["covered"].drop(("concat", "before", 3)).any()
    assert rows.loc[("mean", "after", 3), "from_xt"] == 4.0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_valid_and_becomes_a_picture(theme):
    planes = {"concat": tables()} if theme == "dark" else {"concat": tables(), "mean": tables(1)}
    settings = PlaneSettings(8, 1.5, 256, NAMES, (0, 1, 7), theme=theme)
    spec = comparison_figure(planes, SEEN, settings)
    whole = charts.plain(spec)
    VConcatChart.validate({**whole, "datasets": {name: [] for name in whole["datasets"]}})
    assert export.to_png(spec, ["caption"]).startswith(b"\x89PNG")


def test_pictures_of_activations_are_in_files_too():
    assert b"data:image/png" in export.to_svg(figure(), ["caption"])
    assert export.to_pdf(figure(), ["caption"]).startswith(b"%PDF")


def test_planes_that_are_not_estimated_yet_are_empty():
    empty = pd.DataFrame()
    spec = charts.plain(figure(planes={"concat": tables(), "mean": empty}))
    assert {row["definition"] for row in spec["datasets"]["planes"]} == {"concat"}
    assert export.to_png(spec, ["caption"]).startswith(b"\x89PNG")


def test_ends_that_are_not_known_are_not_drawn():
    columns = [n for n in tables() if n.endswith(("_low", "_high"))]
    unknown = tables().assign(**dict.fromkeys(columns, np.nan), bounded=False)
    rows = charts.plain(figure({"concat": unknown}))["datasets"]["planes"]
    assert all(row["i_xt_low"] is None for row in rows)
    assert rows[0]["tip"].splitlines()[2] == "I(X;T) 8.000 bits"
    assert export.to_png(figure({"concat": unknown}), ["caption"]).startswith(b"\x89PNG")


def test_only_the_data_change_with_the_input_and_the_estimator():
    def bare(spec):
        return {name: value for name, value in spec.items() if name != "datasets"}

    seen = replace(SEEN, before=SEEN.after, words=("class 1",))
    other = figure({"concat": tables(2), "mean": tables()}, seen)
    assert other["datasets"] != figure()["datasets"]
    assert bare(other) == bare(figure())


def test_the_sentences_carry_their_numbers():
    concat, mean = tables(), tables(1.0)
    planes = {"concat": concat, "mean": mean}
    found = claims(planes, (1,), 8.0)
    lines = [shown(line) for line in claim_lines(found, planes, NAMES)]
    assert len(lines) == 3
    assert "under **concat**: **✓ holds**" in lines[0]
    assert "I(X;T) 1: 8.00 [7.80, 8.00] → 8.00 [7.80, 8.00] bits" in lines[0]
    assert "layer 1: conv2k3 relu stays within 0.05 bits" in lines[1]
    assert found[2].outcome == HOLDS
    assert "I(T;Y) 3: 0.40 [0.10, 0.40] → 1.40 [1.10, 1.40] bits" in lines[2]


def test_what_the_network_says_of_the_input():
    lines = input_lines(2, np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.1, 0.8]))
    assert lines == ["class 2", "before: 1 with p = 0.500, wrong", "after: 2 with p = 0.800, right"]
    assert input_lines(1, np.array([0.25]), np.array([0.75]))[1:] == [
        "before: 0 with p = 0.750, wrong",
        "after: 1 with p = 0.750, right",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_noise_is_marked_at_its_values(theme):
    bounds = pd.DataFrame(
        {"variance": [0.01, 0.1, 1], "lower": [1, 0.8, 0.1], "upper": [1, 1, 0.7]}
    )
    spec = tuning_figure(bounds, 1.0, {"tuned": 0.042, "now": 0.1}, theme, 700)
    assert [row["name"] for row in spec["datasets"]["marks"]] == ["tuned 0.042", "now 0.1"]
    assert export.to_png(spec, ["caption"]).startswith(b"\x89PNG")
