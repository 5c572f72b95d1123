"""Short texts of values that hold arrays, for notebooks and error messages."""

from dataclasses import fields

_FEW = 10
"""So many numbers or items of a field are shown as they are."""


def brief(value: object) -> str:
    """`repr` for a dataclass, in which large arrays are a type and a shape."""
    parts = (f"{f.name}={_field(getattr(value, f.name))}" for f in fields(value) if f.repr)
    return f"{type(value).__name__}({', '.join(parts)})"


def _field(value: object) -> str:
    if hasattr(value, "shape") and hasattr(value, "tolist"):
        return _array(value)
    if not isinstance(value, tuple | list):
        return repr(value)
    if len(value) > _FEW:
        return f"{type(value).__name__} of {len(value)} items"
    return f"({', '.join(map(_field, value))})"


def _array(value) -> str:
    if len(value.shape) < 2 and sum(value.shape) <= _FEW:
        return repr(value.tolist())
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
