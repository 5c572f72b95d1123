"""The command line: `python -m ibcore COMMAND`, with `--help` for the commands there are."""

import argparse
import functools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

import pandas as pd

from ibcore import cache_command
from ibcore.comparison import by_channels, compared
from ibcore.estimators import CORRECTIONS, ESTIMATORS, Estimator, from_dict, to_dict
from ibcore.experiment import Experiment, FieldError
from ibcore.files import open_regular
from ibcore.gradients import DEFINITIONS
from ibcore.plane import check_any_sound
from ibcore.presets import (
    PRESETS,
    changed,
    default_binning,
    default_estimator,
    parsed_changes,
)
from ibcore.probes import PROBES, PROTOCOLS, GradientProbe, defined
from ibcore.probes import from_dict as probe_from_dict
from ibcore.remarks import few_replicates, remarks
from ibcore.results import (
    Write,
    checked_file,
    checked_folder,
    csv,
    show,
    write_table,
    write_together,
)
from ibcore.run import SAMPLES, Run
from ibcore.store import Store
from ibcore.tasks import SOURCES, fetch, load
from ibcore.terminal import ENDS, Bar, Ended, end, handling, remark, say
from ibcore.theory import TRUTHS, named_truths
from ibcore.training import resolve_device
from ibcore.trials import CONTENDERS, plan, seeds
from ibcore.verdicts import verdict_map
from ibcore.view import AUTO, CHANNELS, View, read_subset, resolved

SIGNAL = 128
"""Added to the number of a signal in an exit status."""

SIGPIPE = 13


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; its exit status.

    Errors of input are one line and status 2. A signal that ends it is one line and its number
    added to 128; output that nobody reads any more ends it silently, as SIGPIPE does.
    """
    with warnings.catch_warnings(), handling(ENDS, end):
        warnings.showwarning = _show_warning
        try:
            return _carried_out(arguments)
        except BrokenPipeError:
            return SIGNAL + SIGPIPE
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            remark(str(error) or type(error).__name__)
            return 2
        except KeyboardInterrupt:
            remark("interrupted")
            return SIGNAL + signal.SIGINT
        except Ended as ended:
            remark(f"interrupted by {signal.Signals(ended.number).name}")
            return SIGNAL + ended.number


def _carried_out(arguments: list[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    finally:
        # What --help and --version print.
        show("")
    if getattr(options, "out", None) is not None:
        check = checked_folder if options.command is _run else checked_file
        options.out = check(options.out)
        _check_apart(options)
    return options.command(options)


def _check_apart(options: argparse.Namespace) -> None:
    """Refuse to write over the run that is read."""
    read = getattr(options, "run", None)
    if read is not None and os.path.realpath(read) == os.path.realpath(options.out):
        raise FieldError("out", str(options.out), "another file than the run")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ibcore: {message}; see {self.prog} --help\n")


def _show_warning(message, *_args, **_kwargs) -> None:
    remark(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ibcore", description=__doc__)
    parser.add_argument(
        "--version", action="version", version=_version(), help="Print the version of ibcore."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="Train an experiment and write its run, its plane and its settings."
    )
    run.add_argument("experiment", help="The .json file of an experiment, or the name of a preset.")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="changes",
        help="Change a field, such as training.epochs=100. It may be given several times.",
    )
    run.add_argument("--out", required=True, metavar="DIR", help="The folder of the results.")
    run.add_argument(
        "--device",
        default="auto",
        help="The device: cpu, cuda, mps, or auto, which takes the best (default).",
    )
    _add_estimator(run)
    run.set_defaults(command=_run)

    plane = commands.add_parser("plane", help="Write the information plane of a run as CSV.")
    _add_run_and_out(plane)
    _add_estimator(plane)
    plane.set_defaults(command=_plane)

    verdicts = commands.add_parser(
        "verdicts",
        help="For every value of the estimator, write as CSV whether each layer compresses.",
    )
    _add_run_and_out(verdicts)
    _add_estimator(verdicts, on_ladder=True)
    verdicts.set_defaults(command=_verdicts)

    sizes = commands.add_parser(
        "sizes", help="Write information against the number of samples as CSV."
    )
    _add_run_and_out(sizes)
    sizes.add_argument(
        "--epoch", type=int, help="The recorded epoch to measure at (default: the last)."
    )
    _add_estimator(sizes)
    sizes.set_defaults(command=_sizes)

    layers = commands.add_parser(
        "layers", help="Write the layers before and after training as CSV."
    )
    _add_run_and_out(layers)
    _add_estimator(layers, channels=False)
    layers.set_defaults(command=_layers)

    probe = commands.add_parser("probe", help="Write gradients, steps or weights of a run as CSV.")
    _add_run_and_out(probe)
    probe.add_argument("family", choices=PROBES, help="What is measured.")
    probe.add_argument("--protocol", choices=PROTOCOLS, help="Where gradients are taken.")
    probe.add_argument("--n-batches", type=int, help="How many minibatches are drawn.")
    probe.add_argument("--batch-size", type=int, help="The minibatches' size.")
    probe.add_argument(
        "--definition", choices=DEFINITIONS, help="How a layer's signal and noise are defined."
    )
    probe.add_argument("--virtual-rate", type=float, help="The learning rate of virtual steps.")
    probe.set_defaults(command=_probe)

    trials = commands.add_parser("trials", help="Write estimates beside known information as CSV.")
    trials.add_argument(
        "--n", type=int, default=4096, metavar="SAMPLES", help="How many are drawn of each case."
    )
    trials.add_argument("--seeds", type=int, default=10, help="How many seeds, from 0 on.")
    trials.add_argument(
        "--case",
        action="append",
        dest="cases",
        metavar="CASE",
        help="A case to try (default: all). It may be given several times.",
    )
    _add_out(trials)
    trials.set_defaults(command=_trials)

    data = commands.add_parser("fetch", help="Download the data of a task once.")
    data.add_argument("task", help=f"The task: {', '.join(SOURCES)}.")
    data.set_defaults(command=_fetch)

    cache_command.add(commands)

    presets = commands.add_parser("presets", help="List the presets, or print one as JSON.")
    presets.add_argument("name", nargs="?", help="The preset to print.")
    presets.set_defaults(command=_presets)
    return parser


def _version() -> str:
    try:
        return f"ibcore {version('ibcore')}"
    except PackageNotFoundError:
        return "ibcore, from a folder that is not installed"


def _add_run_and_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN.npz", help="The file that `run` wrote.")
    _add_out(parser)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", metavar="FILE.csv", help="The file to write (default: standard output)."
    )


def _add_estimator(
    parser: argparse.ArgumentParser, *, on_ladder: bool = False, channels: bool = True
) -> None:
    """Options of the estimator and its samples, for what a command leaves open.

    On its ladder the estimator has no value of its parameter; `channels`: whether they are
    joined one way only.
    """
    width = "The width of bins, or of Rényi's kernel."
    if on_ladder:
        width = (
            "Use bins of a fixed width (its value is ignored), or set the width of Rényi's kernel."
        )
    group = parser.add_argument_group(
        "estimator",
        "Options left out are those of the preset. Without a preset, quantised networks are"
        " counted on their own grid; others have 30 bins, on [-1, 1] where the activation stays"
        " there, else on the range of the run.",
    )
    group.add_argument("--estimator", choices=ESTIMATORS, help="The family of the estimator.")
    group.add_argument(
        "--limits",
        nargs="+",
        metavar="LOW HIGH | range | layer | rank | grid",
        help="The limits of the bins: two numbers, the range of the run or of each layer, bins of"
        " equal counts (rank), or the levels of a quantised network (grid).",
    )
    group.add_argument(
        "--correction", choices=CORRECTIONS, help="The correction of entropies of bins."
    )
    group.add_argument(
        "--null",
        type=int,
        metavar="SHUFFLES",
        help="The number of label shuffles whose mean I(T;Y) is subtracted, with bins.",
    )
    group.add_argument("--width", type=float, help=width)
    if not on_ladder:
        group.add_argument("--n-bins", type=int, help="The number of bins.")
        group.add_argument(
            "--variance", type=float, help="The noise variance (kde, sampling, gaussian)."
        )
        group.add_argument("--alpha", type=float, help="The order of the entropy (renyi).")
        group.add_argument("--k", type=int, metavar="NEIGHBOURS", help="How many neighbours (ksg).")
        group.add_argument("--bits", type=int, help="The bits of the levels (quantised).")
    group = parser.add_argument_group(
        "samples",
        "With auto, the default, all samples are measured where there are at most 5,000, else 2,000"
        " of the test set, or of the training set where there is no test set.",
    )
    group.add_argument(
        "--samples", choices=(AUTO, *SAMPLES), default=AUTO, help="The samples to measure."
    )
    group.add_argument("--subset", default=AUTO, metavar="N|all|auto", help="How many of them.")
    if channels:
        group.add_argument(
            "--channels",
            choices=CHANNELS,
            default=View.channels,
            help="The channels of images: as one vector, or the mean over single channels.",
        )
    else:
        parser.set_defaults(channels=View.channels)


def _estimator(options: argparse.Namespace, defaults: Sequence[Estimator]) -> Estimator:
    """The first of the defaults that is of the family asked for, with the given options."""
    names = ("n_bins", "width", "variance", "alpha", "k", "bits", "correction", "null")
    given = {name: getattr(options, name, None) for name in names}
    given |= {"limits": _limits(options.limits)}
    given = {name: value for name, value in given.items() if value is not None}
    described = [to_dict(default) for default in defaults]
    family = options.estimator or _implied_family(given) or described[0]["family"]
    described.append({"family": family})
    return from_dict(next(d for d in described if d["family"] == family) | given)


def _defaults(experiment: Experiment) -> list[Estimator]:
    return [default_estimator(experiment), default_binning(experiment)]


def _implied_family(given: dict) -> str | None:
    """The family that has the options that were given; binning has most of them."""
    if given.get("limits") == "grid":
        return "quantised"
    owners = {"variance": "kde", "alpha": "renyi", "k": "ksg", "bits": "quantised"}
    owned = [family for name, family in owners.items() if name in given]
    return owned[0] if owned else "binning" if given else None


def _limits(words: list[str] | None) -> str | list[float] | None:
    if words is None or words in (["range"], ["layer"], ["rank"], ["grid"]):
        return words[0] if words else None
    try:
        return [float(word) for word in words]
    except ValueError:
        allowed = "two numbers, range, layer, rank or grid"
        raise FieldError("limits", " ".join(words), allowed) from None


def _run(options: argparse.Namespace) -> int:
    experiment, defaults = _experiment(options.experiment)
    experiment = changed(experiment, parsed_changes(options.changes))
    estimator = _estimator(options, [*defaults, *_defaults(experiment)])
    resolve_device(options.device)
    _check_view(experiment, options)
    _name_large_columns(experiment)
    run, status = _train(experiment, options.device)
    view = _view(options, run)
    json = (experiment.to_json() + "\n").encode()
    files = {"experiment.json": lambda file: file.write(json), "run.npz": run.save}
    try:
        plane = _plane_table(run, estimator, view)
        text = csv(plane)
        files["plane.csv"] = lambda file: file.write(text)
    finally:
        # Also where the plane cannot be had: the training took longer.
        _write_run(options.out, files)
    _name_divergence(run)
    _remark(*remarks(run, estimator, view, plane), *few_replicates(run))
    if not run.complete:
        say(f"stopped at epoch {run.epochs[-1]}; the same command goes on from there")
    return status


def _remark(*lines: str) -> None:
    for line in lines:
        remark(line)


def _write_run(folder: Path, files: dict[str, Write]) -> None:
    """Write the files of a run; no plane of an earlier one stays beside them."""
    write_together({folder / name: write for name, write in files.items()})
    if "plane.csv" not in files:
        (folder / "plane.csv").unlink(missing_ok=True)
    say("wrote " + ", ".join(str(folder / name) for name in files))


def _experiment(name: str) -> tuple[Experiment, list[Estimator]]:
    """The experiment of that name or file, and the estimator that comes with a preset."""
    if name in PRESETS:
        return PRESETS[name].experiment, [PRESETS[name].estimator]
    if not os.path.isfile(name):
        allowed = "a .json file or one of " + ", ".join(PRESETS)
        raise FieldError("experiment", name, allowed)
    try:
        with open_regular(name) as file:
            return Experiment.from_file(file), []
    except OSError as error:
        raise OSError(f"experiment: {name!r} cannot be read: {error.strerror}") from None


def _check_view(experiment: Experiment, options: argparse.Namespace) -> None:
    """Refuse before the training what could not be measured after it."""
    read_subset(options.subset)
    if options.samples == "test" and len(load(experiment.task).test) == 0:
        raise FieldError("samples", options.samples, "all or train: the task has no test set")


def _view(options: argparse.Namespace, run: Run) -> View:
    return resolved(run, options.samples, read_subset(options.subset), options.channels)


def _name_large_columns(experiment: Experiment) -> None:
    if experiment.task.path is not None and (notice := load(experiment.task).size_notice):
        remark(notice)


def _train(experiment: Experiment, device: str) -> tuple[Run, int]:
    """The run, partial where a signal ended it, and the exit status."""
    ends: list[int] = []
    with (
        handling((signal.SIGINT, *ENDS), lambda number, _: ends.append(number)),
        Bar("epoch") as bar,
    ):
        run = _store().train(
            experiment,
            progress=lambda p: bar.at(p.epoch, experiment.training.epochs),
            should_stop=lambda: bool(ends),
            device=device,
        )
    return run, 0 if run.complete else SIGNAL + ends[0]


def _store() -> Store:
    # Of many damaged entries one notice is enough.
    return Store(notice=functools.cache(remark))


def _name_divergence(run: Run) -> None:
    for replicate, epoch in enumerate(run.diverged):
        if epoch >= 0:
            say(f"replicate {replicate} diverged at epoch {epoch}")


def _curves(
    run: Run,
    estimator: Estimator,
    values: Sequence[float],
    view: View,
    progress: Callable[[int, int], None],
    only: Sequence[int] | None = None,
) -> pd.DataFrame:
    """`Store.curves`; ValueError where there is nothing to estimate."""
    check_any_sound(run)
    return _store().curves(run, estimator, values, view=view, only=only, progress=progress)


def _plane(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    view = _view(options, run)
    table = _plane_table(run, estimator, view)
    _write(table, options.out)
    _remark(*remarks(run, estimator, view, table), *few_replicates(run))
    return 0


def _plane_table(run: Run, estimator: Estimator, view: View) -> pd.DataFrame:
    """`information_plane`, kept in the cache."""
    parameter = estimator.parameter
    with Bar("checkpoint") as bar:
        bar.at(0, len(run.epochs))
        table = _curves(run, estimator, [getattr(estimator, parameter)], view, bar.at)
    return table.drop(columns=parameter)


def _write(table: pd.DataFrame, out: Path | None) -> None:
    write_table(table, out)
    if out is not None:
        say(f"wrote {out}")


def _verdicts(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    view = _view(options, run)
    with Bar("checkpoint") as bar:
        bar.at(0, len(run.epochs))
        table = _curves(run, estimator, estimator.default_ladder, view, bar.at)
    _write(verdict_map(table, estimator.parameter), options.out)
    _remark(*remarks(run, estimator, view, table), *few_replicates(run))
    return 0


def _sizes(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    epochs = run.epochs.tolist()
    epoch = epochs[-1] if options.epoch is None else options.epoch
    if epoch not in epochs:
        raise FieldError("epoch", epoch, "a recorded one: " + ", ".join(map(str, epochs)))
    k, view = epochs.index(epoch), _view(options, run)
    with Bar("size") as bar:
        table = _store().sample_sizes(run, k, estimator, view=view, progress=bar.at)
    _write(table, options.out)
    most = table[(table["n"] == table["n"].max()) & (table["draw"] == 0)]
    _remark(*remarks(run, estimator, view, most, only=[k]))
    return 0


def _layers(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    values, ends = [getattr(estimator, estimator.parameter)], sorted({0, len(run.epochs) - 1})
    views = by_channels(run, _view(options, run))
    tables, doubts = [], {}
    with Bar("checkpoint") as bar:
        bar.at(0, len(ends) * len(views))
        for name, view in views.items():
            before = len(ends) * len(tables)
            table = _curves(
                run,
                estimator,
                values,
                view,
                lambda done, _, before=before: bar.at(before + done, len(ends) * len(views)),
                only=ends,
            )
            moments = compared(table, int(run.epochs[0]), int(run.epochs[-1]))
            tables.append(moments.assign(channels=name))
            doubts |= dict.fromkeys(remarks(run, estimator, view, table, only=ends))
    _write(pd.concat(tables, ignore_index=True), options.out)
    _remark(*doubts)
    return 0


def _probe(options: argparse.Namespace) -> int:
    """A gradient table carries the signal and noise of its definition beside m, s and ||W||."""
    run = Run.load(options.run)
    names = ("protocol", "n_batches", "batch_size", "virtual_rate")
    given = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    probe = probe_from_dict({"family": options.family} | given)
    if options.family != GradientProbe.family and options.definition is not None:
        raise FieldError("definition", options.definition, "--definition with gradients only")
    with Bar("checkpoint") as bar:
        table = _store().probed(run, probe, progress=bar.at)
    if options.family == GradientProbe.family:
        named = defined(table, options.definition or "layer")
        table = table.merge(named, on=["epoch", "layer", "replicate"], validate="one_to_one")
    _write(table, options.out)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    with Bar("B", unit_scale=True) as bar:
        fetch(options.task, progress=lambda file, done, total: bar.at(done, total, file))
    show(f"{SOURCES[options.task].folder}\n")
    return 0


def _trials(options: argparse.Namespace) -> int:
    """Every estimator of `CONTENDERS` on the cases named, or on all."""
    truths = named_truths(options.cases or list(TRUTHS))
    questions = plan(truths, CONTENDERS, options.n, seeds(options.seeds))
    with Bar("answer") as bar:
        table = _store().tried(questions, progress=bar.at)
    _write(table, options.out)
    return 0


def _presets(options: argparse.Namespace) -> int:
    if options.name is None:
        lines = (f"{p.name:16} {p.title}. {p.source}\n" for p in PRESETS.values())
        show("".join(lines))
        return 0
    if options.name not in PRESETS:
        raise FieldError("preset", options.name, "one of " + ", ".join(PRESETS))
    show(PRESETS[options.name].experiment.to_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
