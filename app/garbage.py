"""Python's search for garbage, which Streamlit starts after every look at a page.

No message goes out meanwhile: a sixth of a second when it searches the libraries too,
which stay until the end anyway.
"""

import gc
import sys
from functools import lru_cache


def spare_libraries() -> None:
    """Leave all that is there now out of the search, where libraries came since the last time."""
    _spare(len(sys.modules))


@lru_cache(maxsize=1)
def _spare(n_modules: int) -> None:
    gc.collect()
    gc.freeze()
