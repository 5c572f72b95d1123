"""The page "Gradient phases": signal and noise of the gradients, and what goes with them."""

from dataclasses import replace

import pandas as pd
import streamlit as st

import analysis
import commands
import curves
import probing
import runs
import session
import sidebar
import state
from charts import (
    EpochSettings,
    definitions_figure,
    gradient_figure,
    loss_change_figure,
    weights_figure,
)
from controls import number, segments, select
from describe import layer_names, plain, view_words
from describe_phases import (
    DEFINITIONS,
    PROTOCOLS,
    for_panels,
    loss_line,
    noise_scales,
    outcome_lines,
    phase_lines,
    protocol_words,
)
from ibcore import GradientProbe, LossChangeProbe, WeightProbe, defined
from ibcore.estimators import Estimator
from placed import placed
from views.exports import Figure, exports
from views.status import body, status, work_line

WIDTH = 980
VIRTUAL_BATCH = 256
RATIOS = {"ratio": "signal / noise", "squared": "signal² / noise²"}


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    busy = job is not None and job.active
    tabs = st.tabs(
        [title for title, _ in TABS.values()],
        key="phase_tab",
        default=_first_tab(),
        on_change="rerun",
    )
    for tab, (name, (_, draw_tab)) in zip(tabs, TABS.items(), strict=True):
        if tab.open:
            session.put({"tab": name})
            with tab:
                busy = _guarded(draw_tab, shown) or busy
    return busy


def _first_tab() -> str:
    """The tab of the link; it stays the default while the page is looked at.

    A default that changed would take the person back to it.
    """
    if "phase_tab" not in st.session_state:
        st.session_state["first_tab"] = session.value("tab")
    return TABS[st.session_state["first_tab"]][0]


def _guarded(draw_tab, shown: runs.Shown) -> bool:
    try:
        return draw_tab(shown)
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return False


def _settings(shown: runs.Shown, heading: str = "") -> EpochSettings:
    run = shown.run
    names = layer_names(run.experiment, run.dataset.n_classes)
    return EpochSettings(names, run.experiment.epochs, sidebar.theme(), WIDTH, heading)


@placed
def _found(shown: runs.Shown, probe) -> curves.Curves:
    """The probe's table, with the progress of whoever computes it."""
    found = probing.table(shown, probe)
    work_line(found.job, "Computing")
    live, total = shown.origin == "live", len(shown.run.epochs)
    if found.growing and not live:
        st.progress(found.done / total, f"Computing: {found.done} of {total} checkpoints")
    if not (found.whole or found.busy or live) and found.job is None:
        st.error("The rest cannot be computed: the cache folder cannot be written.")
    elif found.table.empty and found.whole:
        st.info("There is nothing to show: no replicate was sound where gradients were recorded.")
    elif found.table.empty and not live:
        st.info("The first numbers are on their way.")
    elif found.table.empty:
        st.info("This takes long for a network of this size: it is computed after the training.")
    return found


def _chart(figure: Figure, theme: str) -> None:
    with st.container(key=f"{figure.name}-chart"):
        st.vega_lite_chart(spec=figure.draw(theme), key=figure.name, theme=None, width="content")


# Signal and noise


def _signals(shown: runs.Shown) -> bool:
    _controls(shown)
    probe = state.probe(session.current())
    found = _found(shown, probe)
    if found.table.empty:
        return found.busy
    if found.table["n_batches"].iloc[0] == 1:
        _undefined(shown, probe)
        return found.busy
    return _phases(shown, probe, found) or found.busy


def _controls(shown: runs.Shown) -> None:
    """Protocol and definition; what does not fit the run is not offered."""
    parallel = shown.run.experiment.training.batch_mode == "parallel"
    offered = ["networks"] if parallel else ["epoch", "sampled", "along"]
    if session.value("proto") not in offered:
        session.put({"proto": offered[0]})
    left, right = st.columns([1.25, 1], vertical_alignment="bottom")
    segments(left, "Gradients", "proto", offered, format_func=PROTOCOLS.get)
    segments(right, "Compared", "def", list(DEFINITIONS), format_func=DEFINITIONS.get)
    protocol = session.value("proto")
    ratio, count, size, _ = st.columns([1.2, 1, 1.2, 1.6], vertical_alignment="bottom")
    select(ratio, "Ratio", "snr", RATIOS, format_func=RATIOS.get)
    if protocol == "sampled":
        number(count, "Minibatches", "nbatch", step=1, format="%d")
    if protocol in ("epoch", "sampled"):
        own = "500" if protocol == "sampled" else "the training's own"
        zero = f"0 stands for {own}."
        number(size, "Minibatch size", "vbatch", step=1, format="%d", help=zero)


def _undefined(shown: runs.Shown, probe: GradientProbe) -> None:
    """One gradient has no noise: say why there is one only, and offer more where there can be."""
    if probe.protocol == "networks":
        st.info("**Undefined**: statistics over networks need two parallel networks or more.")
        return
    n_train, size = shown.run.sample_index("train").shape[1], probe.size(shown.run)
    whole = "that of the whole training set" if size == n_train else "that of its one minibatch"
    st.info(
        f"**Undefined**: there is one gradient for each epoch, {whole}, so the noise is 0 by"
        " construction and there is no ratio. With the weights held fixed, smaller, virtual"
        " minibatches have one."
    )
    virtual = {"proto": "epoch", "vbatch": min(VIRTUAL_BATCH, max(1, n_train // 4))}
    st.button(
        f"Take virtual minibatches of {virtual['vbatch']}",
        on_click=lambda: session.put(virtual),
        key="virtual",
    )


def _phases(shown: runs.Shown, probe: GradientProbe, found: curves.Curves) -> bool:
    run, settings = shown.run, session.current()
    definition, squared = settings["def"], settings["snr"] == "squared"
    n_batches = int(found.table["n_batches"].iloc[0])
    compared = defined(found.table, definition)
    estimator = state.estimator(settings)
    view = state.view(settings, run)
    plane = curves.at_hand(shown, estimator, view)
    turns = plane.table if plane.whole else plane.table[:0]
    events = _events(
        shown, (repr(probe), definition), compared, (repr(estimator), repr(view)), turns
    )
    turn = _turn_words(estimator, view_words(run, view) if plane.whole else None)
    words = f"{protocol_words(probe, run, n_batches)}; {DEFINITIONS[definition].lower()}"
    figure = Figure(
        "gradient-phases",
        lambda theme: gradient_figure(
            compared,
            for_panels(events),
            run.history(),
            replace(_settings(shown, protocol_words(probe, run, n_batches)), theme=theme),
            squared=squared,
        ),
        found.table.merge(compared, on=["epoch", "layer", "replicate"]),
        f"Gradients: {words}. {turn}",
        {"Events": events},
    )
    _chart(figure, sidebar.theme())
    names = layer_names(run.experiment, run.dataset.n_classes)
    if len(events):
        lines = outcome_lines(events, noise_scales(found.table, probe, run), names)
        for line in filter(None, [*lines, loss_line(events)]):
            st.markdown(f"- {line}")
        st.caption(
            "Drift and diffusion count from a factor of 1.25 between signal and noise on, diffusion"
            f" over three checkpoints. {plain(turn)}."
        )
        if not found.whole:
            reached = f"{found.table['epoch'].max():,}"
            st.caption(f"**Provisional**: computed up to epoch {reached}; this may change.")
    else:
        st.info("Too few checkpoints to tell phases: 8 are needed.")
    exports(figure, run, commands.probe_command(run.experiment, probe, definition))
    _overlay(shown, found.table)
    with st.expander("What am I looking at?"):
        for line in phase_lines(probe, run, n_batches, definition):
            st.markdown(f"- {plain(line)}")
    return plane.growing


def _turn_words(estimator: Estimator, measured: str | None) -> str:
    """By which estimator I(X;T) turns, and on which samples: None where it is not known."""
    if measured is None:
        return (
            f"Where I(X;T) turns is not known: {estimator.label} is computed on Information plane"
        )
    return f"I(X;T) turns by {estimator.label}, {measured}"


def _events(shown, how: tuple, compared, seen: tuple, plane: pd.DataFrame) -> pd.DataFrame:
    """Those of the gradients taken as in `how` and of the plane `seen` so."""
    run = shown.run
    key = (run.content_key,)
    tables = [
        analysis.of_gradients((*key, *how, len(compared)), compared),
        analysis.of_information((*key, *seen, len(plane)), plane),
        analysis.of_loss(key, run),
    ]
    tables = [table for table in tables if len(table)]
    columns = ["layer", "kind", "epoch", "epoch_lower", "epoch_upper", "words"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _overlay(shown: runs.Shown, table: pd.DataFrame) -> None:
    """One layer by every definition and every protocol that is at hand; drawn when opened."""
    box = st.expander("Every definition for one layer", key="overlay", on_change="rerun")
    if not box.open:
        return
    names = layer_names(shown.run.experiment, shown.run.dataset.n_classes)
    with box:
        layers = range(1, len(names) + 1)
        if session.value("glayer") not in layers:
            session.put({"glayer": 1})
        select(st, "Layer", "glayer", layers, format_func=lambda layer: names[layer - 1])
        layer = session.value("glayer")
        at_hand = _at_hand(shown, table)
        overlaid = _overlaid(at_hand, layer)
        figure = Figure(
            "gradient-definitions",
            lambda theme: definitions_figure(
                overlaid, replace(_settings(shown, names[layer - 1]), theme=theme)
            ),
            overlaid,
            f"Gradients of layer {names[layer - 1]} by every definition: "
            + "; ".join(
                protocol_words(probe, shown.run, int(rows["n_batches"].iloc[0]))
                for probe, rows in at_hand.items()
            ),
        )
        _chart(figure, sidebar.theme())
        again = [
            commands.probe_command(shown.run.experiment, probe, definition)
            for probe in at_hand
            for definition in DEFINITIONS
        ]
        exports(figure, shown.run, commands.chained(again))


def _at_hand(shown: runs.Shown, table: pd.DataFrame) -> dict[GradientProbe, pd.DataFrame]:
    """The table on the screen, and those of the other protocols that are there already."""
    current = state.probe(session.current())
    found = {current: table}
    for probe in (GradientProbe(), GradientProbe("along"), GradientProbe("sampled")):
        other = None if probe.protocol == current.protocol else probing.known(shown, probe)
        if other is not None and len(other) and other["n_batches"].iloc[0] > 1:
            found[probe] = other
    return found


def _overlaid(tables: dict[GradientProbe, pd.DataFrame], layer: int) -> pd.DataFrame:
    parts = []
    for probe, table in tables.items():
        for name, words in DEFINITIONS.items():
            rows = defined(table, name)
            rows = rows[rows["layer"] == layer]
            parts.append(rows.assign(definition=words, protocol=PROTOCOLS[probe.protocol]))
    return pd.concat(parts, ignore_index=True)


# Loss and gradient


def _losses(shown: runs.Shown) -> bool:
    st.markdown(
        "One plain gradient step of rate α, whatever the optimiser of the training, along the"
        " gradient of one minibatch should change the loss by −α Σ μ² to first order, where μ is"
        " the mean gradient. Where minibatches are noisy or the loss is sharply curved, the next"
        " order wins, and at the training's own rate the loss may even rise."
    )
    if shown.run.experiment.network.bits is not None:
        st.info(
            "The activations of this network are rounded: its loss moves in jumps that no gradient"
            " foretells. Measured and predicted changes need not agree at any rate."
        )
    choice, _ = st.columns([1, 2])
    select(choice, "Virtual rate", "vrate", format_func=lambda rate: f"{rate:g}")
    run, probe = shown.run, LossChangeProbe(session.value("vrate"))
    found = _found(shown, probe)
    if found.table.empty:
        return found.busy
    figure = Figure(
        "loss-and-gradient",
        lambda theme: loss_change_figure(found.table, replace(_settings(shown), theme=theme)),
        found.table,
        "Change of the loss in nats by one plain gradient step: means over replicates; ratio:"
        " median and quartiles over replicates",
    )
    _chart(figure, sidebar.theme())
    st.markdown(_ratio_words(found.table))
    exports(figure, run, commands.probe_command(run.experiment, probe))
    return found.busy


def _ratio_words(table: pd.DataFrame) -> str:
    """How well the first order predicts, at both rates."""
    own = table.assign(ratio=table["measured"] / table["predicted"])
    medians = own.groupby(["kind", "rate", "epoch"], sort=False)["ratio"].median().dropna()
    ratio = medians.groupby(["kind", "rate"], sort=False)
    lines = []
    for (kind, rate), values in ratio:
        near = (values.sub(1).abs() <= 0.05).mean()
        lines.append(
            f"- {kind} rate {rate:g}: measured/predicted, the median over replicates, from"
            f" {values.min():.3g} to {values.max():.3g}; within 5 % of 1 at {near:.0%} of the"
            " checkpoints."
        )
    return "\n".join(lines)


# Weights


def _weights(shown: runs.Shown) -> bool:
    st.markdown(
        "The norm of each layer's weights, and how alike its units are: the mean absolute cosine"
        " between the incoming weights of two of them, 1 where all look in the same or in the"
        " opposite direction."
    )
    run, probe = shown.run, WeightProbe()
    found = _found(shown, probe)
    if found.table.empty:
        return found.busy
    figure = Figure(
        "weights",
        lambda theme: weights_figure(found.table, replace(_settings(shown), theme=theme)),
        found.table,
        "Norms of the weights (geometric mean ×÷ 1 geometric standard deviation over replicates)"
        " and mean absolute cosines between units (mean ± 1 standard deviation)",
    )
    _chart(figure, sidebar.theme())
    exports(figure, run, commands.probe_command(run.experiment, probe))
    return found.busy


TABS = {
    "signals": ("Signal and noise", _signals),
    "losses": ("Loss and gradient", _losses),
    "weights": ("Weights", _weights),
}
body(draw)
