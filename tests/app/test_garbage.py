"""What is there when libraries have come is not searched for garbage again."""

import gc
import sys
from types import ModuleType

from garbage import spare_libraries


def test_libraries_that_came_are_spared_once(monkeypatch):
    try:
        spare_libraries()
        before = gc.get_freeze_count()
        kept = [[] for _ in range(1000)]
        spare_libraries()
        assert gc.get_freeze_count() <= before, "nothing was imported"
        monkeypatch.setitem(sys.modules, "a_late_library", ModuleType("a_late_library"))
        spare_libraries()
        assert gc.get_freeze_count() > before + len(kept) / 2
    finally:
        gc.unfreeze()
