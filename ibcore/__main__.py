"""The command line: `python -m ibcore COMMAND`, with `--help` for the commands there are."""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pandas as pd
from tqdm import tqdm

from ibcore.comparison import by_channels, compared
from ibcore.estimators import CORRECTIONS, ESTIMATORS, Estimator, from_dict, to_dict
from ibcore.experiment import Experiment, FieldError
from ibcore.gradients import DEFINITIONS
from ibcore.plane import information_plane
from ibcore.presets import (
    PRESETS,
    changed,
    default_binning,
    default_estimator,
    parsed_changes,
)
from ibcore.probes import PROBES, PROTOCOLS, GradientProbe, defined
from ibcore.probes import from_dict as probe_from_dict
from ibcore.run import SAMPLES, Run
from ibcore.store import Store
from ibcore.tasks import SOURCES, fetch, load
from ibcore.theory import TRUTHS, named_truths
from ibcore.training import Progress
from ibcore.trials import CONTENDERS, plan, seeds
from ibcore.verdicts import verdict_map
from ibcore.view import AUTO, CHANNELS, View, read_subset, resolved


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command line; errors of input are one line and exit status 2."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _one_line
        try:
            _check_out(getattr(options, "out", None), folder=options.command is _run)
            return options.command(options)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            _one_line(" ".join(str(error).split()) or type(error).__name__)
            return 2
        except KeyboardInterrupt:
            _one_line("interrupted")
            return 130


def _check_out(out: Path | None, *, folder: bool) -> None:
    """Refuse a place that takes no file, or no `folder`, before any work is done."""
    if out is None:
        return
    if folder:
        there = next((place for place in (out, *out.parents) if place.exists()), out)
        if not there.is_dir():
            raise FieldError("out", str(out), "a folder, or a place where one can be made")
        return
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise FieldError("out", str(out), "a file in a directory that can be written to")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ibcore: {message}\n")


def _one_line(message, *_args, **_kwargs) -> None:
    print(f"ibcore: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ibcore", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="train an experiment; writes run.npz, plane.csv and more")
    run.add_argument("experiment", help="an experiment's .json file, or the name of a preset")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="changes",
        help="change a field of it, such as training.epochs=100; as often as needed",
    )
    run.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the results")
    run.add_argument(
        "--device", default="auto", help="cpu, cuda or mps; auto, the default, takes the best"
    )
    _add_estimator(run)
    run.set_defaults(command=_run)

    plane = commands.add_parser("plane", help="the information plane of a run, as CSV")
    _add_run_and_out(plane)
    _add_estimator(plane)
    plane.set_defaults(command=_plane)

    verdicts = commands.add_parser(
        "verdicts", help="whether each layer compresses, at every value of an estimator, as CSV"
    )
    _add_run_and_out(verdicts)
    _add_estimator(verdicts, on_ladder=True)
    verdicts.set_defaults(command=_verdicts)

    sizes = commands.add_parser("sizes", help="information against the number of samples, as CSV")
    _add_run_and_out(sizes)
    sizes.add_argument("--epoch", type=int, help="a recorded one; the last if left out")
    _add_estimator(sizes)
    sizes.set_defaults(command=_sizes)

    layers = commands.add_parser(
        "layers", help="layers before and after training, channels joined both ways, as CSV"
    )
    _add_run_and_out(layers)
    _add_estimator(layers, channels=False)
    layers.set_defaults(command=_layers)

    probe = commands.add_parser("probe", help="gradients, steps or weights of a run, as CSV")
    _add_run_and_out(probe)
    probe.add_argument("family", choices=PROBES, help="what is asked of the run")
    probe.add_argument("--protocol", choices=PROTOCOLS, help="where gradients are taken")
    probe.add_argument("--n-batches", type=int, help="how many minibatches are drawn")
    probe.add_argument("--batch-size", type=int, help="of the minibatches, where it may differ")
    probe.add_argument("--definition", choices=DEFINITIONS, help="of a layer's signal and noise")
    probe.add_argument("--virtual-rate", type=float, help="learning rate of the steps tried out")
    probe.set_defaults(command=_probe)

    trials = commands.add_parser("trials", help="estimators beside known information, as CSV")
    trials.add_argument("--n", type=int, default=4096, metavar="SAMPLES", help="drawn of each case")
    trials.add_argument("--seeds", type=int, default=10, help="how many, counted from 0")
    trials.add_argument(
        "--case",
        action="append",
        dest="cases",
        metavar="CASE",
        help="one of them, as often as needed; all if left out",
    )
    _add_out(trials)
    trials.set_defaults(command=_trials)

    data = commands.add_parser("fetch", help="download the data of a task, once")
    data.add_argument("task", help="one of " + ", ".join(SOURCES))
    data.set_defaults(command=_fetch)

    presets = commands.add_parser("presets", help="list the presets, or print one as JSON")
    presets.add_argument("name", nargs="?", help="the one to print")
    presets.set_defaults(command=_presets)
    return parser


def _add_run_and_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.npz", help="what the command `run` wrote")
    _add_out(parser)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="written instead of the terminal"
    )


def _add_estimator(
    parser: argparse.ArgumentParser, *, on_ladder: bool = False, channels: bool = True
) -> None:
    """Options of the estimator and its samples, for what a command leaves open.

    On its ladder the estimator has no value of its parameter; `channels`: whether they are
    joined one way only.
    """
    group = parser.add_argument_group(
        "estimator",
        "What is not said is the preset's; without one quantised networks are counted on their"
        " own grid, and for others there are 30 bins, on [-1, 1] where the activation stays there,"
        " else on the range of the run.",
    )
    group.add_argument("--estimator", choices=ESTIMATORS, help="its family")
    group.add_argument(
        "--limits",
        nargs="+",
        metavar="LOW HIGH | range | layer | rank | grid",
        help="of the bins: two numbers; the range of the run or of each layer; equal counts; the"
        " levels of a quantised network",
    )
    group.add_argument("--correction", choices=CORRECTIONS, help="of entropies by bins")
    group.add_argument(
        "--null",
        type=int,
        metavar="SHUFFLES",
        help="by bins: so many shuffles of the labels, whose mean I(T;Y) is taken away",
    )
    group.add_argument("--width", type=float, help="bins of a width; on a ladder, of any")
    if not on_ladder:
        group.add_argument("--n-bins", type=int, help="bins on the limits")
        group.add_argument("--variance", type=float, help="of the noise: kde, sampling, gaussian")
        group.add_argument("--alpha", type=float, help="order of the entropy: renyi")
        group.add_argument("--k", type=int, metavar="NEIGHBOURS", help="how many: ksg")
        group.add_argument("--bits", type=int, help="of the levels: quantised")
    group = parser.add_argument_group(
        "samples",
        "What is auto, the default, follows from the size of the data: all samples where they are"
        " at most 5,000, beyond that 2,000 of the test set, or of the training set where there is"
        " no other.",
    )
    group.add_argument("--samples", choices=(AUTO, *SAMPLES), default=AUTO, help="which of them")
    group.add_argument("--subset", default=AUTO, metavar="N|all|auto", help="how many of them")
    if channels:
        group.add_argument(
            "--channels",
            choices=CHANNELS,
            default=View.channels,
            help="of images: together as one vector, or the mean over them one by one",
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
    _check_view(experiment, options)
    options.out.mkdir(parents=True, exist_ok=True)
    _name_large_columns(experiment)
    run = _train(experiment, options.device)
    (options.out / "experiment.json").write_text(experiment.to_json() + "\n", encoding="utf-8")
    run.save(options.out / "run.npz")
    _write_plane(run, estimator, _view(options, run), options.out / "plane.csv")
    _name_divergence(run)
    if not run.complete:
        print(
            f"stopped at epoch {run.epochs[-1]}; the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    return 0


def _experiment(name: str) -> tuple[Experiment, list[Estimator]]:
    """The experiment of that name or file, and the estimator that comes with a preset."""
    if name in PRESETS:
        return PRESETS[name].experiment, [PRESETS[name].estimator]
    path = Path(name)
    if not path.is_file():
        allowed = "a .json file or one of " + ", ".join(PRESETS)
        raise FieldError("experiment", name, allowed)
    try:
        return Experiment.from_json(path.read_text(encoding="utf-8")), []
    except UnicodeDecodeError:
        raise FieldError("experiment", name, "a .json file, which is text in UTF-8") from None


def _check_view(experiment: Experiment, options: argparse.Namespace) -> None:
    """Refuse before the training what could not be measured after it."""
    read_subset(options.subset)
    if options.samples == "test" and len(load(experiment.task).test) == 0:
        raise FieldError("samples", options.samples, "all or train: the task has no test set")


def _view(options: argparse.Namespace, run: Run) -> View:
    return resolved(run, options.samples, read_subset(options.subset), options.channels)


def _name_large_columns(experiment: Experiment) -> None:
    if experiment.task.path is not None and (notice := load(experiment.task).size_notice):
        _one_line(notice)


def _train(experiment: Experiment, device: str) -> Run:
    interrupts: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        with tqdm(total=experiment.training.epochs, unit="epoch") as bar:

            def progress(p: Progress) -> None:
                bar.update(p.epoch - bar.n)

            return Store().train(
                experiment,
                progress=progress,
                should_stop=lambda: bool(interrupts),
                device=device,
            )
    finally:
        signal.signal(signal.SIGINT, previous)


def _name_divergence(run: Run) -> None:
    for replicate, epoch in enumerate(run.diverged):
        if epoch >= 0:
            print(f"replicate {replicate} diverged at epoch {epoch}", file=sys.stderr)


def _plane(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    _write_plane(run, estimator, _view(options, run), options.out or sys.stdout)
    return 0


def _write_plane(run: Run, estimator: Estimator, view: View, out) -> None:
    information_plane(run, estimator, **vars(view)).to_csv(out, index=False)


def _verdicts(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    values, view = estimator.default_ladder, _view(options, run)
    with tqdm(total=len(run.epochs), unit="checkpoint") as bar:
        table = Store().curves(
            run,
            estimator,
            values,
            view=view,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    verdict_map(table, estimator.parameter).to_csv(options.out or sys.stdout, index=False)
    return 0


def _sizes(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    epochs = run.epochs.tolist()
    epoch = epochs[-1] if options.epoch is None else options.epoch
    if epoch not in epochs:
        raise FieldError("epoch", epoch, "a recorded one: " + ", ".join(map(str, epochs)))
    k = epochs.index(epoch)
    table = Store().sample_sizes(run, k, estimator, view=_view(options, run))
    table.to_csv(options.out or sys.stdout, index=False)
    return 0


def _layers(options: argparse.Namespace) -> int:
    run = Run.load(options.run)
    estimator = _estimator(options, _defaults(run.experiment))
    values, ends = [getattr(estimator, estimator.parameter)], [0, len(run.epochs) - 1]
    views = by_channels(run, _view(options, run))
    tables = []
    with tqdm(total=2 * len(views), unit="checkpoint") as bar:
        for name, view in views.items():
            table = Store().curves(
                run, estimator, values, view=view, only=ends, progress=lambda *_: bar.update()
            )
            moments = compared(table, int(run.epochs[0]), int(run.epochs[-1]))
            tables.append(moments.assign(channels=name))
    pd.concat(tables).to_csv(options.out or sys.stdout, index=False)
    return 0


def _probe(options: argparse.Namespace) -> int:
    """A gradient table carries the signal and noise of its definition beside m, s and ||W||."""
    run = Run.load(options.run)
    names = ("protocol", "n_batches", "batch_size", "virtual_rate")
    given = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    table = Store().probed(run, probe_from_dict({"family": options.family} | given))
    if options.family == GradientProbe.family:
        named = defined(table, options.definition or "layer")
        table = table.merge(named, on=["epoch", "layer", "replicate"], validate="one_to_one")
    elif options.definition is not None:
        raise FieldError("definition", options.definition, "it with gradients only")
    table.to_csv(options.out or sys.stdout, index=False)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    with tqdm(unit="B", unit_scale=True) as bar:

        def progress(file: str, done: int, total: int) -> None:
            bar.total = total
            bar.set_description(file, refresh=False)
            bar.update(done - bar.n)

        fetch(options.task, progress=progress)
    print(SOURCES[options.task].folder)
    return 0


def _trials(options: argparse.Namespace) -> int:
    """Every estimator of `CONTENDERS` on the cases named, or on all."""
    truths = named_truths(options.cases or list(TRUTHS))
    questions = plan(truths, CONTENDERS, options.n, seeds(options.seeds))
    with tqdm(total=len(questions), unit="answer") as bar:
        table = Store().tried(questions, progress=lambda *_: bar.update())
    table.to_csv(options.out or sys.stdout, index=False)
    return 0


def _presets(options: argparse.Namespace) -> int:
    if options.name is None:
        for preset in PRESETS.values():
            print(f"{preset.name:16} {preset.title}. {preset.source}")
        return 0
    if options.name not in PRESETS:
        raise FieldError("preset", options.name, "one of " + ", ".join(PRESETS))
    print(PRESETS[options.name].experiment.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
