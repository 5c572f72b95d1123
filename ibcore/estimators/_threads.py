"""Threads for compiled loops, which let go of the interpreter.

On these threads floats below 2^-126 count as 0: repeated squaring makes many, and every
one may cost a hundred cycles. No sum that is 1 or more knows the difference.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from ibcore.estimators.information import Sample

Result = TypeVar("Result")
# Below this a thread takes longer to start than the work does.
_FEW_ROWS = 512


def n_threads() -> int:
    """As many as PyTorch uses."""
    return torch.get_num_threads()


@contextmanager
def shared(n: int) -> Iterator[Callable]:
    """`map`, on `n` threads where this is more than one."""
    if n == 1:
        yield map
        return
    with ThreadPoolExecutor(n, initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        yield pool.map


def over_replicates(
    work: Callable[[Sample, int], Result], samples: Sequence[Sample]
) -> list[Result]:
    """[work(sample, spare) for each sample] on several threads, `spare` left to each."""
    n = 1 if len(samples[0].t) < _FEW_ROWS else min(n_threads(), len(samples))
    spare = n_threads() // n
    with shared(n) as mapped:
        return list(mapped(lambda sample: work(sample, spare), samples))
