"""The command `cache`: list what is kept on the disk, prune it, or clear it."""

import argparse
import math
import time
from collections.abc import Iterable
from itertools import groupby

from ibcore.cache import LIMITS, Cache, Item, Limit
from ibcore.experiment import FieldError
from ibcore.results import show
from ibcore.store import Store
from ibcore.tasks.downloads import in_words
from ibcore.terminal import remark

DESCRIPTION = (
    "Runs that were trained or opened, trainings that have not ended, and tables of estimates."
    " Downloaded data sets are not a part of it. Whatever was computed is computed again when it is"
    " needed; a run that was opened from a file must be opened again."
)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to those of the command line."""
    help = "List, prune or clear what is kept on the disk."
    actions = commands.add_parser("cache", help=help, description=DESCRIPTION).add_subparsers(
        required=True, metavar="ACTION"
    )
    listed = actions.add_parser("list", help="Show the kinds of entries with number and size.")
    listed.set_defaults(command=_list)
    pruned = actions.add_parser(
        "prune", help="Remove old versions and entries that have not been used for a long time."
    )
    pruned.add_argument("--max-mb", type=float, help="The size of what may stay, in megabytes.")
    pruned.add_argument("--max-days", type=float, help="How many days entries may stay unused.")
    pruned.set_defaults(command=_prune)
    cleared = actions.add_parser("clear", help="Remove everything, unfinished trainings too.")
    cleared.set_defaults(command=_clear)


def _cache() -> Cache:
    return Store(notice=remark).cache


def _list(_options: argparse.Namespace) -> int:
    cache = _cache()
    items = sorted(cache.items(), key=lambda item: item.kind)
    lines = [f"{'kind':10} {'entries':>8} {'size':>10}  last used"]
    lines += [_line(kind, list(some)) for kind, some in groupby(items, lambda item: item.kind)]
    lines.append(_line("all", items))
    show("\n".join([*lines, str(cache.folder), ""]))
    return 0


def _line(kind: str, items: list[Item]) -> str:
    last = max((item.used for item in items), default=None)
    day = "never" if last is None else time.strftime("%Y-%m-%d", time.localtime(last))
    return f"{kind:10} {len(items):8,} {in_words(_size(items)):>10}  {day}"


def _size(items: Iterable[Item]) -> int:
    return sum(item.n_bytes for item in items)


def _prune(options: argparse.Namespace) -> int:
    for name in ("max_mb", "max_days"):
        value = getattr(options, name)
        if value is not None and not 0 <= value < math.inf:
            raise FieldError("--" + name.replace("_", "-"), value, "a number from 0")
    cache = _cache()
    removed = cache.prune(_limits(options.max_days))
    if options.max_mb is not None:
        removed += cache.shrink(1e6 * options.max_mb)
    return _say(cache, removed)


def _limits(max_days: float | None) -> dict[str, Limit]:
    if max_days is None:
        return dict(LIMITS)
    return {part: Limit(limit.n_bytes, max_days) for part, limit in LIMITS.items()}


def _clear(_options: argparse.Namespace) -> int:
    cache = _cache()
    return _say(cache, cache.clear())


def _say(cache: Cache, removed: list[Item]) -> int:
    show(f"Removed {len(removed):,} entries ({in_words(_size(removed))}) from {cache.folder}\n")
    return 0
