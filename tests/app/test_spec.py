"""Charts put together: what is spared in their making changes nothing of them."""

import altair as alt
import pytest

from charts.spec import named


@pytest.mark.parametrize(
    "channels",
    [
        {"x": "epoch:Q", "y": alt.Y("i_xt:Q", title="bits"), "x2": "end:Q", "order": "k:Q"},
        {"x": alt.value(3), "text": "words:N", "strokeDash": alt.value([1, 2])},
        {"tooltip": ["name:N", alt.Tooltip("epoch:Q", format=",d")], "detail": ["layer:N", "k:O"]},
        {"tooltip": alt.value(alt.ExprRef(expr="datum.tip")), "fillOpacity": "k:Q"},
        {"color": alt.condition("datum.k > 0", alt.value("red"), alt.value("blue"))},
    ],
)
def test_channels_are_what_altair_makes_of_them(channels):
    rows = alt.NamedData(name="rows")
    ours = named("rows").mark_point().encode(**channels)
    assert ours.to_dict() == alt.Chart(rows).mark_point().encode(**channels).to_dict()
