import errno
import io
import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.archive import Header
from ibcore.experiment import Task
from ibcore.tasks import load
from ibcore.tasks.npy import StoredArray
from ibcore.tasks.npz import check_label_size

X = np.random.default_rng(0).normal(size=(6, 2, 3))
Y = np.array([0, 1, 2, 1, 0, 2])


def save(folder: Path, **arrays) -> Task:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return Task(name="npz", path=str(path))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def announcing(shape: str, descr: str = "'<f8'", data: bytes = b"", version: bytes = b"\1\0"):
    """The bytes of a .npy file whose header says whatever is asked."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + header + data


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Task:
    path = folder / "data.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in ({"x": npy(X), "y": npy(Y)} | members).items():
            archive.writestr(name + ".npy", content)
    return Task(name="npz", path=str(path))


@pytest.mark.parametrize("saver", [np.savez, np.savez_compressed])
def test_arrays_are_read(tmp_path, saver):
    path = tmp_path / "data.npz"
    saver(path, x=X, y=Y, notes=np.array("ignored"), more=np.zeros(3))
    data = load(Task(name="npz", path=str(path), train_fraction=0.5))
    assert (data.x == X.astype(np.float32)).all()
    assert data.y.tolist() == Y.tolist()
    assert (data.n_classes, data.p_y_given_x, data.fixed_split) == (3, None, False)
    assert (len(data.train), len(data.test)) == (3, 3)


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">i2", "<i8", np.float16, ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_real_type_and_order_serves(tmp_path, dtype, order):
    x = np.array([[0, 1, 1], [1, 0, 1]], dtype, order=order)
    data = load(save(tmp_path, x=x, y=np.array([0, 1], dtype)))
    assert data.x.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert data.y.tolist() == [0, 1]


def test_labels_with_gaps_are_mapped_in_order(tmp_path):
    data = load(save(tmp_path, x=X, y=np.array([30, 5, 7, 5, 30, 7])))
    assert data.y.tolist() == [2, 0, 1, 0, 2, 1]
    assert data.n_classes == 3


def changed(array: np.ndarray, value) -> np.ndarray:
    array = array.astype(type(value)) if array.dtype.kind == "i" else array.copy()
    array[(1,) * array.ndim] = value
    return array


WRONG = {
    "no x": ({"y": Y}, "holds no array x"),
    "no y": ({"x": X}, "holds no array y"),
    "fewer labels": ({"x": X, "y": Y[:5]}, "shape (6,)"),
    "labels in three dimensions": ({"x": X, "y": Y[:, None, None]}, "shape (6,)"),
    "a column of text twice": ({"x": X, "y": np.full((6, 2), "a")}, "shape (6,)"),
    "rows that are not one-hot": ({"x": X, "y": np.eye(6)[:, :3]}, "row 3: [0.0, 0.0, 0.0]"),
    "one-hot on its side": ({"x": X, "y": np.eye(3)[Y].T}, "shape (6,)"),
    "nothing": ({"x": X[:0], "y": Y[:0]}, "array x: announces 0 values"),
    "empty samples": ({"x": X[:, :0], "y": Y}, "array x: announces 0 values"),
    "empty labels": ({"x": X, "y": Y[:0]}, "array y: announces 0 values"),
    "one sample": ({"x": X[:1], "y": Y[:1]}, "with N >= 2"),
    "a row of numbers": ({"x": X[:, 0, 0], "y": Y}, "shape (N, ...)"),
    "a single number": ({"x": np.array(1.0), "y": Y}, "shape (N, ...)"),
    "NaN": ({"x": changed(X, np.nan), "y": Y}, "x: nan"),
    "infinity": ({"x": changed(X, -np.inf), "y": Y}, "x: -inf"),
    "too large": ({"x": changed(X, 1e300), "y": Y}, "x: 1e+300"),
    "text": ({"x": X.astype(str), "y": Y}, "array x: type <U"),
    "dates": ({"x": X.astype("M8[s]"), "y": Y}, "array x: type datetime64"),
    "complex": ({"x": X * 1j, "y": Y}, "array x: type complex128"),
    "objects": ({"x": X.astype(object), "y": Y}, "array x: type object"),
    "object labels": ({"x": X, "y": Y.astype(object)}, "e.g. y.astype(str)"),
    "date labels": ({"x": X, "y": Y.astype("M8[s]")}, "array y: type datetime64"),
    "complex labels": ({"x": X, "y": Y * 1j}, "array y: type complex128"),
    "empty text labels": ({"x": X, "y": np.full(6, "")}, "2 classes"),
    "records": ({"x": np.zeros(6, "f4,f4"), "y": Y}, "array x: type"),
    "fractions": ({"x": X, "y": changed(Y, 0.5)}, "y: 0.5"),
    "NaN label": ({"x": X, "y": changed(Y, np.nan)}, "y: nan"),
    "infinite label": ({"x": X, "y": changed(Y, np.inf)}, "y: inf"),
    "one class": ({"x": X, "y": Y * 0}, "2 classes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused(tmp_path, refusal, case):
    arrays, message = WRONG[case]
    task = save(tmp_path, **arrays)
    text = refusal(lambda: load(task))
    assert message in text
    assert text.startswith(task.path)


def test_more_classes_than_a_layer_has_units_are_refused(tmp_path, refusal):
    y = np.repeat(np.arange(20_000), 3).astype(np.uint16)
    task = save(tmp_path, x=y[:, None], y=y)
    assert "20000 distinct labels" in refusal(lambda: load(task))


def test_the_arrays_of_the_2017_code_serve(tmp_path):
    """F (4096, 12) uint8 and y (1, 4096): the symmetric task under other names."""
    rule = load(Task())
    data = load(save(tmp_path, x=rule.x.astype(np.uint8), y=rule.y[None].astype(np.uint8)))
    assert data.fingerprint == rule.fingerprint
    assert data.labels_line == "Labels: 0 -> 0, 1 -> 1 (y is a row)"


def test_text_labels_are_read_without_pickles(tmp_path):
    names = np.array(["cat", "dog", "ape"])
    data = load(save(tmp_path, x=X, y=names[Y]))
    assert data.classes == ("ape", "cat", "dog")
    assert data.y.tolist() == [1, 2, 0, 2, 1, 0]
    assert load(save(tmp_path, x=X, y=names.astype("S")[Y])).classes == data.classes


def test_numbers_are_binned_where_asked_for(tmp_path, refusal):
    task = save(tmp_path, x=X, y=Y + np.arange(6) / 10)
    assert "task.bin_y" in refusal(lambda: load(task))
    data = load(replace(task, bin_y=2))
    assert data.n_classes == 2
    assert "2 quantile classes" in data.labels_line


def test_labels_too_large_are_refused_by_their_header(tmp_path, refusal):
    task = zipped(tmp_path, y=announcing(f"({2**26},)", "'<U2'"))
    assert "truncated: 0 of the 536870912" in refusal(lambda: load(task))
    archive = zipfile.ZipFile(task.path)
    header = Header((2**26,), np.dtype("<U2"), False, 128)
    array = StoredArray(archive, archive.getinfo("y.npy"), "y", header)
    with pytest.raises(ValueError, match="array y: announces 536870912 bytes; at most 268435456"):
        check_label_size(array)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("standardise", [False, True])
def test_memory_is_bounded_by_what_x_takes_as_float32(tmp_path, order, standardise):
    x = np.asarray(np.random.default_rng(0).normal(size=(2**16, 2**6)), order=order)
    path = tmp_path / "data.npz"
    np.savez(path, x=x, y=np.arange(len(x)) % 2 == 0)
    tracemalloc.start()
    try:
        data = load(Task("npz", path=str(path), standardise=standardise))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * data.x.nbytes + 3_000_000
    wanted = (x - x.mean(0)) / x.std(0) if standardise else x
    assert abs(data.x - wanted).max() < 1e-6


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 3)])
def test_standardised_columns_have_mean_0_and_deviation_1(tmp_path, order, shape):
    """(x - mean) / std over all samples, whatever the split; a constant column is 0."""
    x = np.random.default_rng(0).normal(1e7, 1, size=shape)
    x[..., 0] = 0.1
    task = save(tmp_path, x=np.asarray(x, order=order), y=np.arange(50) % 2)
    data = load(replace(task, standardise=True))
    wanted = (x - x.mean(0)) / np.where(x.std(0) > 1e-9, x.std(0), np.inf)
    wanted[..., 0] = 0
    assert data.x.dtype == np.float32
    assert data.x == pytest.approx(wanted, abs=1e-6)
    other = load(replace(task, standardise=True, split_seed=1, train_fraction=0.3))
    assert (other.x == data.x).all()
    assert (data.x[..., 0] == 0).all()


def test_numbers_beyond_float32_are_refused_when_standardised_too(tmp_path, refusal):
    task = replace(save(tmp_path, x=changed(X, 1e300), y=Y), standardise=True)
    assert "x: 1e+300" in refusal(lambda: load(task))


def test_other_names_are_listed_shortened_and_printable(tmp_path, refusal):
    task = save(tmp_path, F=X, y=Y)
    message = "holds no array x, only F, y; arrays x and y are expected"
    assert message in refusal(lambda: load(task))
    names = {f"\x1b[31m{i}" + "n" * 1000: Y for i in range(50)}
    text = refusal(lambda: load(save(tmp_path, **names)))
    assert text.isprintable()
    assert len(text) < len(task.path) + 400


WRONG_MEMBERS = {
    "truncated": (npy(X)[:-1], "truncated: 287 of the 288"),
    "trailing data": (npy(X) + b"\0", "more than the 288"),
    "empty": (b"", "damaged header"),
    "not an array": (b"six images", "damaged header"),
    "half a header": (npy(X)[:40], "damaged header"),
    "no dictionary": (b"\x93NUMPY\1\0\4\0....", "damaged header"),
    "an unknown type": (announcing("(6,)", "'<f3'"), "damaged header"),
    "a nested type": (announcing("(6,)", "[" * 200 + "]" * 200), "damaged header"),
    "many signs": (announcing("(6," + "-" * 5000 + "1)"), "damaged header"),
    "an open bracket": (announcing("((6,"), "damaged header"),
    "a negative size": (announcing("(-6, -2)"), "damaged header"),
    "more than the file": (announcing("(1000, 1000, 200)"), "truncated: 0 of the"),
    "more than any memory": (announcing(f"({10**30}, 2)"), "announces 2000000"),
    "more than the limit": (announcing(f"({2**20}, 257)"), "at most 268435456 are allowed: 1 GiB"),
    "a negative and a huge size": (announcing("(-1, 100000000000)"), "damaged header"),
    "too many dimensions": (announcing("(6," + "1," * 99 + ")", data=bytes(48)), "dimension"),
    "a huge header": (b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(10**7), "damaged header"),
    "format 9": (announcing("(6,)", version=b"\x09\0"), "damaged header"),
    "a bomb": (npy(X) + bytes(50_000_000), "more than the 288"),
}


@pytest.mark.parametrize("case", WRONG_MEMBERS)
def test_wrong_members_are_refused(tmp_path, refusal, case):
    content, message = WRONG_MEMBERS[case]
    task = zipped(tmp_path, x=content)
    text = refusal(lambda: load(task))
    assert message in text
    assert text.startswith(task.path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path, refusal, method):
    task = zipped(tmp_path, method)
    assert "packed in a way" in refusal(lambda: load(task))


def test_encrypted_arrays_are_refused(tmp_path, refusal):
    task = zipped(tmp_path)
    content = bytearray(Path(task.path).read_bytes())
    # Bit 0 of the flags in the entry of the central directory means encryption.
    content[content.index(b"PK\1\2") + 8] |= 1
    Path(task.path).write_bytes(content)
    assert "packed in a way" in refusal(lambda: load(task))


WRONG_FILES = {
    "empty": b"",
    "text": b"x,y\n1,0\n",
    "a single array": npy(X),
    "the end of an archive": b"PK\5\6" + bytes(18),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_other_files_are_refused(tmp_path, refusal, case):
    path = tmp_path / "data.npz"
    path.write_bytes(WRONG_FILES[case])
    assert str(path) in refusal(lambda: load(Task(name="npz", path=str(path))))


def test_a_folder_is_refused(tmp_path, refusal):
    text = refusal(lambda: load(Task(name="npz", path=str(tmp_path))))
    assert "an existing .npz file; this is not a regular file" in text


def test_pipes_and_devices_are_refused_without_being_opened(tmp_path, refusal):
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (str(tmp_path / "pipe.npz"), "/dev/zero", "/dev/null"):
        text = refusal(lambda path=path: load(Task(name="npz", path=path)))
        assert "this is not a regular file" in text


@pytest.mark.parametrize("function", ["os.stat", "os.open"])
def test_a_file_without_permission_is_no_damaged_one(tmp_path, refusal, monkeypatch, function):
    task = save(tmp_path, x=X, y=Y)
    allowed = os.stat if function == "os.stat" else os.open

    def denied(path, *arguments, **options):
        if str(path) == task.path:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return allowed(path, *arguments, **options)

    monkeypatch.setattr(function, denied)
    text = refusal(lambda: load(task))
    assert text == f"{task.path}: cannot be read: permission denied"


def test_only_x_and_y_are_read(tmp_path):
    """Whatever else is in the archive may be damaged or large."""
    task = zipped(tmp_path, other=npy(Y), huge=bytes(30_000_000))
    content = bytearray(Path(task.path).read_bytes())
    # The checksum in the entry of the central directory.
    content[content.rindex(b"PK\1\2") + 16] ^= 1
    Path(task.path).write_bytes(content)
    tracemalloc.start()
    try:
        assert len(load(task).y) == 6
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    trap = np.empty((6, 1), object)
    trap[:] = Trap()
    with pytest.raises(ValueError, match="array x: type object"):
        load(save(tmp_path, x=trap, y=Y))
    assert not (tmp_path / "sprung").exists()


@given(data=st.data(), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_damage_is_refused_or_harmless(tmp_path_factory, complaint, data, method):
    """Whatever is done to the bytes of a file, it is read or refused by one line naming it."""
    task = zipped(tmp_path_factory.mktemp("npz"), method)
    path = Path(task.path)
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(place, min(place + 8, len(content))))
    path.write_bytes(content[:place] + data.draw(st.binary(max_size=8)) + content[end:])
    text = complaint(lambda: load(task))
    assert text is None or (task.path in text and len(text.splitlines()) == 1)


@given(st.binary(max_size=40), st.integers(0, 120), st.integers(0, 8))
def test_damaged_headers_are_refused_or_harmless(tmp_path_factory, complaint, junk, place, removed):
    """The same for the header of an array in a sound archive, whose checksums hide nothing."""
    content = npy(X)
    content = content[:place] + junk + content[place + removed :]
    task = zipped(tmp_path_factory.mktemp("npz"), x=content)
    text = complaint(lambda: load(task))
    assert text is None or (task.path in text and len(text.splitlines()) == 1)
