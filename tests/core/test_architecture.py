"""The house: data flow one way, and what each part may know of."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = (
    "reprs",
    "files",
    "archive",
    "stack",
    "experiment",
    "tasks",
    "networks",
    "gradients",
    "training",
    "journal",
    "run_file",
    "run",
    "view",
    "estimators",
    "plane",
    "tables",
    "checks",
    "comparison",
    "claims",
    "sample_size",
    "phases",
    "theory",
    "trials",
    "verdicts",
    "probes",
    "events",
    "presets",
    "entries",
    "cache",
    "store",
    "worker",
    "results",
    "terminal",
    "remarks",
    "cache_command",
    "__main__",
)


def imports(path):
    """The dotted names that a module imports, whole: a.b.c, or a.b for `from a import b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(path):
    """The module of the house that a file belongs to."""
    return path.relative_to(ROOT / "ibcore").parts[0].removesuffix(".py")


SOURCES = sorted((ROOT / "ibcore").rglob("*.py"))
PARTS = [path for path in SOURCES if part(path) != "__init__"]


def test_every_part_has_its_place():
    assert {part(path) for path in PARTS} == set(ORDER)


@pytest.mark.parametrize("path", PARTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_from_those_above_it(path):
    mine = ORDER.index(part(path))
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "ibcore":
            other = rest.split(".")[0]
            assert other in ORDER, f"{path} imports {name}: import from the module itself"
            assert ORDER.index(other) <= mine, f"{path} imports {name}, which lies below it"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_package_knows_nothing_of_the_app(path):
    for name in imports(path):
        assert name.split(".")[0] not in ("streamlit", "altair", "app", "charts"), path


def test_charts_know_neither_the_page_nor_the_networks():
    charts = sorted((ROOT / "app" / "charts").rglob("*.py"))
    assert charts
    for path in charts:
        for name in imports(path):
            assert name.split(".")[0] not in ("streamlit", "torch", "ibcore"), path


def test_only_the_store_touches_the_cache():
    for path in SOURCES:
        if part(path) == "store":
            continue
        for name in imports(path):
            assert name.split(".")[0] != "platformdirs", path
            assert part(path) in ("store", "cache_command") or name != "ibcore.cache", path


def test_only_the_downloads_use_a_network():
    for path in SOURCES:
        if path != ROOT / "ibcore" / "tasks" / "downloads.py":
            for name in imports(path):
                assert name.split(".")[0] not in ("pooch", "requests", "urllib", "socket"), path
