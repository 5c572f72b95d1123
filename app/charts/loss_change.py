"""The change of the loss in one step: measured, and as the gradient predicts it."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import UNSEEN, epoch_axis
from charts.epoch_settings import EpochSettings
from charts.logs import EXTENT, log_params, log_row, log_y
from charts.plane import label
from charts.signs import sign_marks, sign_rows
from charts.spec import Rows, layered, named, specification, template
from charts.spread import replicate_words
from charts.tables import with_checkpoint
from charts.theme import THEMES, layer_colours

AXIS = "change"
KINDS = ("virtual", "real")
RATIO_DOMAIN = (-1.0, 3.0)
NEAR = (0.95, 1.05)
KEY = "changes"
HEIGHTS = {"changes": 220, "ratios": 200}
ROW = 20
GAP = 26
AXES = EXTENT + 46


def loss_change_figure(losses: pd.DataFrame, settings: EpochSettings) -> dict:
    """Measured and predicted change of the loss, and their ratio, against the epoch: Vega-Lite.

    `losses` has the columns `epoch`, `replicate`, `kind` ("virtual", "real"), `rate`,
    `measured` and `predicted` (changes in nats, negative where the loss falls). Above,
    their means over replicates with the sign turned: lines as predicted, marks as
    measured, hollow ones where the mean loss rose. Below, median and quartiles over
    replicates of the ratio, whose tails are too heavy for a mean, with triangles at the
    edge where the median lies beyond -1 or 3. What is not
    finite, or 0 on a logarithmic axis, is not drawn. Everything that changes with the
    data is in `datasets`. Raises ValueError for another kind and for an epoch that is
    not in `settings.epochs`.
    """
    strange = sorted(set(losses["kind"]) - set(KINDS))
    if strange:
        raise ValueError(f"kind: {strange[0]!r} is not allowed; use {' or '.join(KINDS)}")
    return specification(_template(replace(settings, heading="")), _rows(losses, settings))


def _rows(losses: pd.DataFrame, settings: EpochSettings) -> dict[str, Rows]:
    means = _means(with_checkpoint(losses, settings.epochs))
    changes, ratios = _changes(means), _ratios(means)
    band = replicate_words(losses, "mean", "ratio: median, band: quartiles")
    notes = " · ".join(filter(None, (band, f"grey: {NEAR[0]} to {NEAR[1]}")))
    return {
        "changes": changes,
        "ratios": ratios,
        "signs": _signs(losses, settings),
        "labels": [
            {
                "heading": settings.heading,
                "band": notes,
                **log_row(AXIS, changes["value"]),
            }
        ],
    }


def _means(losses: pd.DataFrame) -> pd.DataFrame:
    """Means over the replicates whose numbers are all finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = losses["measured"].to_numpy() / losses["predicted"].to_numpy()
    table = losses.assign(ratio=ratio, rose=losses["measured"] > 0)
    table = table[np.isfinite(table[["measured", "predicted", "ratio"]]).all(axis=1)]
    groups = table.groupby(["kind", "epoch"], sort=True)
    means = groups[["rate", "measured", "predicted"]].mean()
    for name, share in (("low", 0.25), ("ratio", 0.5), ("high", 0.75)):
        means[name] = groups["ratio"].quantile(share)
    means.loc[groups.size() < 2, ["low", "high"]] = np.nan
    means["rose"], means["replicates"] = groups["rose"].sum(), groups.size()
    means = means.reset_index()
    return means.assign(tip=_tips(means))


def _tips(means: pd.DataFrame) -> list[str]:
    fields = ["kind", "rate", "epoch", "measured", "predicted", "ratio", "low", "high"]
    fields += ["rose", "replicates"]
    rows = zip(*(means[field].tolist() for field in fields), strict=True)
    return [
        f"{kind} rate {rate:g}\nepoch {epoch:,}\nmeasured {measured:.3g} nats\n"
        f"predicted {predicted:.3g} nats\nratio {ratio:.3f}"
        + (f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else "")
        + f"\nthe loss rose in {rose} of {n} replicates"
        for kind, rate, epoch, measured, predicted, ratio, low, high, rose, n in rows
    ]


def _changes(means: pd.DataFrame) -> pd.DataFrame:
    """The size of each change, in rows of their own for measured and predicted ones."""
    parts = [
        means[["kind", "epoch", "tip"]].assign(
            series=name, value=means[name].abs(), rose=means[name] > 0
        )
        for name in ("measured", "predicted")
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["value"] > 0]


def _ratios(means: pd.DataFrame) -> pd.DataFrame:
    lowest, highest = RATIO_DOMAIN
    ratio = means["ratio"]
    beyond = (ratio > highest).astype(int) - (ratio < lowest).astype(int)
    kept = means[["kind", "epoch", "ratio", "low", "high", "tip"]]
    return kept.assign(shown=ratio.clip(lowest, highest), beyond=beyond)


def _signs(losses: pd.DataFrame, settings: EpochSettings) -> list[dict]:
    tints = dict(zip(KINDS, layer_colours(settings.theme, len(KINDS)), strict=True))
    kinds = [
        {"word": f"{kind} rate {_rates(losses, kind)}", "line": "solid", "tint": tints[kind]}
        for kind in KINDS
        if (losses["kind"] == kind).any()
    ]
    marks = [
        {"word": "predicted", "line": "solid"},
        {"word": "measured", "shape": "circle"},
        {"word": "measured, the loss rose", "shape": "circle", "hollow": True},
        {"word": "ratio beyond the axis", "shape": "triangle-up"},
    ]
    return [*sign_rows(KEY, kinds, y=ROW / 2), *sign_rows(KEY, marks, y=1.5 * ROW)]


def _rates(losses: pd.DataFrame, kind: str) -> str:
    rates = losses.loc[losses["kind"] == kind, "rate"]
    ends = dict.fromkeys([f"{rates.min():g}", f"{rates.max():g}"])
    return " to ".join(ends)


@lru_cache(maxsize=32)
def _template(settings: EpochSettings) -> str:
    width = settings.width - AXES
    key = layered(
        *sign_marks(KEY, settings),
        label("heading", settings),
        view={"stroke": None},
        width=width,
        height=2 * ROW,
    )
    panels = [_change_panel(settings, width), _ratio_panel(settings, width)]
    body = {
        "vconcat": [key, {"vconcat": panels, "spacing": GAP, "bounds": "flush"}],
        "spacing": 10,
        "params": log_params(AXIS),
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        "Measured and predicted change of the loss in one step against the epoch, at a virtual"
        " and at the real rate, and the ratio of the two."
    )
    return template(body, settings.theme, settings.width, words)


def _change_panel(settings: EpochSettings, width: int) -> dict:
    x, y = epoch_axis(settings, labels=False), log_y(AXIS, "value", "− change of the loss (nats)")
    base = named("changes").encode(x=x, y=y)
    measured = base.transform_filter("datum.series == 'measured'").encode(tooltip="tip:N")
    hollow = "datum.rose ? 0 : 1"
    return layered(
        base.transform_filter("datum.series == 'predicted'")
        .mark_line(strokeWidth=1.5)
        .encode(color=_colour(alt.Color, settings)),
        measured.mark_point(size=28, strokeWidth=1.3, fillOpacity=alt.ExprRef(hollow)).encode(
            stroke=_colour(alt.Stroke, settings), fill=_colour(alt.Fill, settings)
        ),
        width=width,
        height=HEIGHTS["changes"],
    )


def _ratio_panel(settings: EpochSettings, width: int) -> dict:
    look = THEMES[settings.theme]
    x = epoch_axis(settings)
    y, low, shown = (_ratio_axis(field) for field in ("ratio", "low", "shown"))
    base, tint = named("ratios").encode(x=x), _colour(alt.Color, settings)
    inside, beyond = "datum.beyond == 0", "datum.beyond != 0"
    triangle = alt.ExprRef("datum.beyond > 0 ? 'triangle-up' : 'triangle-down'")
    return layered(
        named("labels")
        .mark_rect(color=look.muted, opacity=0.3)
        .encode(y=alt.YDatum(NEAR[0]), y2=alt.Y2Datum(NEAR[1])),
        named("labels").mark_rule(color=look.muted, strokeWidth=0.8).encode(y=alt.YDatum(1)),
        base.transform_filter("isValid(datum.low)")
        .mark_area(fillOpacity=0.16, clip=True)
        .encode(y=low, y2="high:Q", color=tint),
        base.mark_line(strokeWidth=1.2, clip=True).encode(y=y, color=tint),
        base.transform_filter(inside)
        .mark_point(size=10, filled=True, opacity=1)
        .encode(y=shown, color=tint),
        base.transform_filter(beyond)
        .mark_point(size=46, filled=True, opacity=1, shape=triangle)
        .encode(y=shown, color=tint),
        base.mark_point(size=40, **UNSEEN).encode(y=shown, detail="kind:N", tooltip="tip:N"),
        label("band", settings, x=width, y=-5, align="right"),
        width=width,
        height=HEIGHTS["ratios"],
    )


def _ratio_axis(field: str) -> alt.Y:
    axis = alt.Axis(values=[-1, 0, 1, 2, 3], tickCount=5, minExtent=EXTENT, maxExtent=EXTENT)
    scale = alt.Scale(domain=list(RATIO_DOMAIN), nice=False, zero=False)
    return alt.Y(f"{field}:Q", title="measured / predicted", axis=axis, scale=scale)


def _colour(channel: type, settings: EpochSettings) -> alt.Color | alt.Fill | alt.Stroke:
    scale = alt.Scale(domain=list(KINDS), range=layer_colours(settings.theme, len(KINDS)))
    return channel("kind:N", scale=scale, legend=None)
