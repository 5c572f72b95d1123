"""Make the runs and tables that come with the program: `python assets/make_runs.py`.

Takes about half an hour on two cores. What is in the cache is not computed again.
"""

from pathlib import Path

from tqdm import tqdm

from ibcore import KDE, PRESETS, Binning, Run, Store
from ibcore.estimators import Estimator

HERE = Path(__file__).parent
BUNDLED = ("original-code", "saxe-tanh", "saxe-relu")
ESTIMATORS = (Binning(), Binning(limits="range"), KDE())


def main() -> None:
    """Train, save, and tabulate on the whole ladders."""
    store = Store()
    for name in BUNDLED:
        run = _trained(store, name)
        run.save(HERE / "runs" / f"{name}.npz")
        for estimator in ESTIMATORS:
            _tabulate(store, run, estimator, name)


def _trained(store: Store, name: str) -> Run:
    experiment = PRESETS[name].experiment
    with tqdm(total=experiment.training.epochs, desc=name, unit="epoch") as bar:
        return store.train(experiment, progress=lambda p: bar.update(p.epoch - bar.n))


def _tabulate(store: Store, run: Run, estimator: Estimator, name: str) -> None:
    values = estimator.default_ladder
    with tqdm(total=len(run.epochs), desc=f"{name} {type(estimator).__name__}") as bar:
        store.curves(run, estimator, values, progress=lambda done, _: bar.update(done - bar.n))
    store.export_curves(HERE / "curves", run, estimator, values)


if __name__ == "__main__":
    (HERE / "runs").mkdir(exist_ok=True)
    main()
