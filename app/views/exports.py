"""Figures that can be taken away: their files, caption and command."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import export
from commands import without_folder
from describe import caption, plain
from downloads import File, address
from ibcore import Run
from ibcore.results import csv
from runs import store


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure to hand out: `draw(theme)` makes the chart, `seen` says what it shows.

    `more` are tables beside its own, by the word on their link.
    """

    name: str
    draw: Callable[[str], dict]
    table: pd.DataFrame
    seen: str
    more: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Handout:
    """What goes out with a figure: the stem of its file names, its caption, the command.

    `command` makes `what` again; `files` are offered beside the figure's own.
    """

    stem: str
    caption: list[str]
    command: str
    what: str = "this table"
    files: dict[str, File] = field(default_factory=dict)


def exports(figure: Figure, run: Run, command: str) -> None:
    """Links that hand out the figure, its table, the run and the experiment.

    `command` makes the run and the table again.
    """
    box = _opened(figure)
    if box is not None:
        lines = caption(run, figure.seen, without_folder(command, run.experiment))
        stem, what = f"{figure.name}-{run.key[:8]}", "the run and this table"
        with box:
            _links(figure, Handout(stem, lines, command, what, _run_files(run)))
            _path_line(run)


def hand_out(figure: Figure, handout: Handout) -> None:
    """Links that hand out the figure, its table and the files of the handout."""
    box = _opened(figure)
    if box is not None:
        with box:
            _links(figure, handout)


def _opened(figure: Figure) -> DeltaGenerator | None:
    """The box of the links where it is open: they are drawn then, and files made when clicked."""
    box = st.expander("Export this figure", key=f"{figure.name}-export", on_change="rerun")
    return box if box.open else None


def _links(figure: Figure, handout: Handout) -> None:
    lines = handout.caption
    files = _files(figure, handout.stem, lines) | handout.files
    links = [_link(f"{figure.name}-{word}", word, file) for word, file in files.items()]
    st.html(f'<div class="files">{"".join(links)}</div>')
    st.caption("Figures carry this caption:")
    for line in lines:
        st.caption(plain(line))
    st.caption(f"The command that makes {handout.what} again:")
    st.code(handout.command, language="sh", wrap_lines=True)


def _path_line(run: Run) -> None:
    path = run.experiment.task.path
    if path is not None:
        st.caption(
            f"The run file and the experiment carry the path of the data, {plain(path)}, as does"
            " this page's address; the other files carry the name alone."
        )


def _link(key: str, word: str, file: File) -> str:
    place = address(key.lower().replace(" ", "-"), file)
    return f'<a href="{place}" download="{escape(file.name)}">{escape(word)}</a>'


def _table_file(table: pd.DataFrame, name: str) -> File:
    return File(lambda: csv(table), f"{name}.csv", "text/csv")


def _files(figure: Figure, name: str, lines: list[str]) -> dict[str, File]:
    """The files of a figure by the word on their links."""
    more = {
        word: _table_file(table, f"{name}-{word.lower()}") for word, table in figure.more.items()
    }

    def chart() -> dict:
        return figure.draw("light")

    return {
        "PNG": File(lambda: export.to_png(chart(), lines), f"{name}.png", "image/png"),
        "SVG": File(lambda: export.to_svg(chart(), lines), f"{name}.svg", "image/svg+xml"),
        "PDF": File(lambda: export.to_pdf(chart(), lines), f"{name}.pdf", "application/pdf"),
        "HTML": File(lambda: export.to_html(chart(), lines), f"{name}.html", "text/html"),
        "CSV": File(lambda: csv(figure.table), f"{name}.csv", "text/csv"),
        **more,
    }


def _run_files(run: Run) -> dict[str, File]:
    return {
        "Run file": File(
            lambda: _run_file(run), f"run-{run.key[:8]}.npz", "application/octet-stream"
        ),
        "Experiment": File(
            lambda: run.experiment.to_json().encode(),
            f"experiment-{run.key[:8]}.json",
            "application/json",
        ),
    }


def _run_file(run: Run) -> bytes | Path:
    """A file on the disk where it can be written: a large run is not held in memory for it."""
    try:
        return store().keep(run)
    except OSError:
        return run.to_bytes()
