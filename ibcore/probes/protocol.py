"""What every probe has."""

from typing import ClassVar, Protocol

import pandas as pd

from ibcore.run import Run


class Probe(Protocol):
    """A frozen dataclass whose fields are its settings."""

    family: ClassVar[str]

    def check(self, run: Run) -> None:
        """Raise FieldError or ValueError, one line, where the run cannot answer."""

    def cost(self, run: Run) -> float:
        """About how many multiplications one checkpoint takes."""

    def rows(self, run: Run, k: int) -> pd.DataFrame:
        """The rows of checkpoint k, of the replicates still sound; with a column `epoch`."""
