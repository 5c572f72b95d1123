"""The page "Verdict map": does it compress, layer by layer, whatever the estimator's value?"""

from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

import analysis
import commands
import curves
import families
import runs
import session
import sidebar
import state
from charts import EpochSettings, VerdictPanel, verdict_figure
from controls import number, select, several
from describe import layer_names, plain, view_words
from describe_verdicts import known, overall, summary
from families import FAMILIES
from ibcore import PRESETS, Binning, Quantised, Run, View, robustness
from ibcore.estimators import Estimator
from ibcore.verdicts import LEAST_CHECKPOINTS
from views.estimator_bar import RULES, view_options
from views.exports import Figure, exports
from views.scales import beyond_limits
from views.status import body, status, work_line

WIDTH = 980
BESIDE = 2


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    st.markdown(
        "Where compression is a property of the network, a layer has one verdict at every value of"
        " the estimator; where it is the estimator's, the verdict changes along the row."
    )
    _controls(shown.run)
    busy = job is not None and job.active
    if shown.origin == "live":
        st.info("The verdicts are given once the training has ended.")
        return busy
    if len(shown.run.epochs) < LEAST_CHECKPOINTS:
        st.info(f"Fewer than {LEAST_CHECKPOINTS} checkpoints show no phases: there is no verdict.")
        return busy
    try:
        return _maps(shown) or busy
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return busy


def _controls(run: Run) -> None:
    settings = session.current()
    binned = "binning" in settings["maps"]
    fixed = binned and settings["limits"] == "fixed"
    shown, versus, samples = st.columns([3.6, 2.2, 1.2], vertical_alignment="bottom")
    several(shown, "Estimators", "maps", format_func=lambda e: FAMILIES[e].short)
    select(versus, "Compared with", "versus", format_func=_versus_title)
    with samples.popover("Samples", width="stretch"):
        view_options(settings, run)
    rule, *edges, _ = st.columns([1.8, 1, 1, 3.2] if fixed else [1.8, 5.2])
    if binned:
        select(rule, "Limits of the bins", "limits", format_func=RULES.get)
    for edge, name, key in zip(edges, ("Lowest", "Highest"), ("low", "high"), strict=False):
        number(edge, name, key, format="%g")


def _versus_title(name: str) -> str:
    return PRESETS[name].title if name in PRESETS else name


@dataclass(frozen=True, eq=False)
class _Wanted:
    """One map that is asked for: a run, by its title, through an estimator."""

    title: str
    shown: runs.Shown
    estimator: Estimator

    @property
    def view(self) -> View:
        return state.view(session.current(), self.shown.run)

    @property
    def name(self) -> str:
        return f"{self.title}, {families.title(self.estimator)}"

    @property
    def exact_from(self) -> int | None:
        """The bits from which on counting is exact; None where it never is."""
        bits = self.shown.run.experiment.network.bits
        return bits if isinstance(self.estimator, Quantised) else None


def _maps(shown: runs.Shown) -> bool:
    """Draw the maps that are there; whether a worker is at one that is not."""
    grid = _grid(shown)
    if not grid:
        st.info("Choose an estimator, and its verdicts are shown here.")
    found = _found([wanted for row in grid for wanted in row])
    for wanted, table in found.items():
        work_line(table.job, wanted.name, f"{wanted.title} {wanted.estimator.label}")
    waiting = [wanted.name for wanted, table in found.items() if not (table.whole or table.job)]
    if waiting:
        st.caption(plain(f"Next in turn: {'; '.join(waiting)}."))
    panels = {w: _panel(w, table.table) for w, table in found.items() if table.whole}
    rows = [[panels[w] for w in row if w in panels] for row in grid]
    if panels:
        measured = dict.fromkeys(view_words(w.shown.run, w.view) for w in panels)
        figure = _figure(shown, [row for row in rows if row], " and ".join(measured))
        _sentences(panels, _names(list(panels.values()), shown.run), len(panels) < len(found))
        exports(figure, shown.run, commands.chained(_commands(shown.run)))
    return any(table.busy for table in found.values())


def _grid(shown: runs.Shown) -> list[list[_Wanted]]:
    """Two estimators side by side, below them the same of the other run, then the next two."""
    settings = session.current()
    both = _runs(shown, settings["versus"])
    estimators = [state.estimator(settings | {"est": name}) for name in settings["maps"]]
    for title, run in both.items():
        view = state.view(settings, run.run)
        for binning in (e for e in estimators if isinstance(e, Binning)):
            beyond_limits(run, binning, view, f"{title}: ")
    pairs = [estimators[i : i + BESIDE] for i in range(0, len(estimators), BESIDE)]
    return [
        [_Wanted(title, run, estimator) for estimator in pair]
        for pair in pairs
        for title, run in both.items()
    ]


def _found(asked: list[_Wanted]) -> dict[_Wanted, curves.Curves]:
    """The ladder of each; one worker at a time, or each would slow the others down."""
    found = {}
    for wanted in asked:
        busy = any(table.busy for table in found.values())
        look = curves.known_ladder if busy else curves.ladder
        found[wanted] = look(wanted.shown, wanted.estimator, wanted.view)
    return found


def _runs(shown: runs.Shown, versus: str) -> dict[str, runs.Shown]:
    """The run on the screen and the one beside it, by title."""
    mine = shown.run.experiment
    found = {f"This run ({mine.network.activation})": shown}
    other = PRESETS.get(versus)
    if other is not None and other.experiment.key != mine.key:
        there = runs.find(other.experiment)
        if there is not None:
            found[other.title] = runs.Shown(*there, other.experiment)
    return found


def _panel(wanted: _Wanted, table: pd.DataFrame) -> VerdictPanel:
    estimator, parameter = wanted.estimator, wanted.estimator.parameter
    if wanted.exact_from is not None:
        # A coarser grid than the network's own says nothing of the network.
        table = table[table[parameter] >= wanted.exact_from]
    key = curves.identity(wanted.shown.run, estimator, wanted.view)
    verdicts = analysis.of_ladder((*key, len(table)), table, parameter)
    now = getattr(estimator, parameter)
    return VerdictPanel(wanted.title, families.title(estimator), parameter, verdicts, table, now)


def _figure(shown: runs.Shown, rows: list[list[VerdictPanel]], measured: str) -> Figure:
    """Draw the maps; `measured` says on which samples."""
    run, panels = shown.run, [panel for row in rows for panel in row]
    names = _names(panels, run)
    settings = EpochSettings(names, _epochs(panels), sidebar.theme(), WIDTH)
    tables = [
        p.verdicts.rename(columns={p.parameter: "value"}).assign(map=p.title, parameter=p.parameter)
        for p in panels
    ]
    figure = Figure(
        "verdict-map",
        lambda theme: verdict_figure(rows, replace(settings, theme=theme)),
        pd.concat(tables, ignore_index=True),
        "Drop of I(X;T) from its maximum to the mean of the last three checkpoints, bits; dots:"
        f" compression with the 2.5 % bound above 0.05 bits; measured on {measured}",
    )
    with st.container(key="verdict-map-chart"):
        st.vega_lite_chart(
            spec=figure.draw(settings.theme), key=figure.name, theme=None, width="content"
        )
    return figure


def _sentences(panels: dict[_Wanted, VerdictPanel], names: tuple[str, ...], more: bool) -> None:
    """What the maps amount to, run by run; `more` of them are to come."""
    for title in dict.fromkeys(wanted.title for wanted in panels):
        own = {w: panel for w, panel in panels.items() if w.title == title}
        found = {w: robustness(panel.verdicts, panel.parameter) for w, panel in own.items()}
        exact = next((found[w] for w in own if w.exact_from is not None), None)
        voting = [found[w] for w in own if families.of(w.estimator).votes]
        if exact is not None:
            st.markdown(known(title, exact, names))
        elif voting:
            st.markdown(overall(title, voting, names, so_far=more))
        lines = [summary(p.family, p.verdicts, p.parameter, names) for p in own.values()]
        st.markdown("\n".join(f"- {line}" for line in lines))
        if len(voting) < len(own):
            st.caption("Diagnostics do not count in the sum.")
    st.caption(
        "A layer compresses where the mean of I(X;T) over replicates falls from its maximum to the"
        " end by more than 0.05 bits, in 97.5 % of the resamples of the replicates and also when"
        " the maximum is chosen without the replicate it is measured in. Absent means that no value"
        " shows it beyond doubt, not that it is disproved."
    )


def _commands(run: Run) -> list[str]:
    """A command for the maps of the run on the screen by each estimator."""
    settings = session.current()
    estimators = [state.estimator(settings | {"est": name}) for name in settings["maps"]]
    view = state.view(settings, run)
    return [commands.verdict_command(run.experiment, e, view) for e in estimators]


def _names(panels: list[VerdictPanel], run) -> tuple[str, ...]:
    """Names of the layers: with widths for one run, by number where two differ."""
    own = layer_names(run.experiment, run.dataset.n_classes)
    count = max(int(panel.verdicts["layer"].max()) for panel in panels)
    titles = {panel.run for panel in panels}
    if len(titles) == 1 and count == len(own):
        return own
    return tuple(f"layer {i}" for i in range(1, count + 1))


def _epochs(panels: list[VerdictPanel]) -> tuple[int, ...]:
    return tuple(sorted({int(e) for panel in panels for e in panel.curves["epoch"].unique()}))


body(draw)
