"""Sums of a chunk: the compiled loop is its specification, whatever the array looks like."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import textwrap

import numba
import numpy as np
import pytest
from llvmlite import binding

from mvngrad.core import scatter
from mvngrad.core.kernels import jit
from mvngrad.core.kernels import scatter as kernels
from mvngrad.core.scatter import KERNEL_WORK, Sums, block_sums, chunk_bounds, chunk_sums
from mvngrad.core.threads import map_reduce, single_blas

EPS = np.finfo(float).eps
COLUMNS = (1, 2, 3, 5, 20, 63, 64, 65, 100, 130)
ROWS = (0, 1, 2, 127, 128, 129, 255, 256, 257, 1000)
ALWAYS, NEVER = KERNEL_WORK, 0.0


@pytest.fixture(autouse=True)
def quiet_blas():
    with single_blas():  # hundreds of small products: threads only get into each other's way
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def naive(X, shift, weights=None, root=None) -> Sums:
    Z = np.asarray(X, dtype=float) - shift
    if root is not None:
        Z = Z / root if root.ndim == 1 else np.linalg.solve(root, Z.T).T
    w = np.ones(len(Z)) if weights is None else weights
    total = (w @ Z.astype(np.longdouble)).astype(float)  # a long plain sum is the least exact
    return Sums(w.sum(), total, (w[:, None] * Z).T @ Z)


def assert_same_sums(got, expected, X, shift, weights=None, root=None, multiple=60.0):
    """Equal to a multiple of ε relative to the sums of absolute values."""
    Z = np.abs(np.asarray(X, dtype=float) - shift)
    if root is not None:
        Z = Z / root if root.ndim == 1 else Z @ np.abs(np.linalg.inv(root)).T
    size = naive(Z, 0.0, weights)
    assert abs(got.weight - expected.weight) <= multiple * EPS * size.weight
    assert np.all(np.abs(got.total - expected.total) <= multiple * EPS * size.total)
    assert np.all(np.abs(got.scatter - expected.scatter) <= multiple * EPS * size.scatter)


def assert_same_bits(a, b):
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def roots(rng, d):
    lower = np.tril(rng.uniform(-1.0, 1.0, (d, d))) / d + np.diag(rng.uniform(1.0, 2.0, d))
    return {"none": None, "scales": rng.uniform(0.5, 2.0, d), "triangle": lower}


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
@pytest.mark.parametrize("d", COLUMNS)
def test_sums_are_the_naive_sums(rng, d, work):
    for n in ROWS:
        for dtype in (np.float64, np.float32):
            X, shift = (rng.normal(3.0, 1.0, (n, d))).astype(dtype), rng.normal(3.0, 1.0, d)
            weights = rng.integers(0, 3, n) * rng.random(n)
            for root in roots(rng, d).values():
                for w in (None, weights):
                    got = chunk_sums(X, shift, w, root, work=work)
                    assert_same_sums(got, naive(X, shift, w, root), X, shift, w, root)
                    assert np.array_equal(got.scatter, got.scatter.T)


@pytest.mark.parametrize("d", COLUMNS)
def test_kernel_is_its_specification(rng, d):
    for n in ROWS:
        X, shift, w = rng.standard_normal((n, d)), rng.standard_normal(d), rng.random(n)
        for root in roots(rng, d).values():
            expected = block_sums(X, shift, w, root)
            got = chunk_sums(X, shift, w, root, work=ALWAYS)
            assert_same_sums(got, expected, X, shift, w, root)


def loops(features, monkeypatch):
    """The kernels as they would be on a machine with these features, compiled anew."""
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(jit, "compiled", numba.njit(nogil=True, error_model="numpy"))
    spec = importlib.util.spec_from_file_location("loops", kernels.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_groups_of_tiles_change_no_bit(rng, monkeypatch):
    wide = loops({"avx512f": True}, monkeypatch)
    narrow = loops({}, monkeypatch)
    assert (wide.DOWN, narrow.DOWN) == (1, 3)
    for d in (3, 8, 20, 130, 280):
        X, roots = rng.standard_normal((300, d)), rng.random(300)
        sums = []
        for kernel in (wide, narrow):
            T = kernel.tiles(d)
            kernel.accumulate(X, *kernel.padded(np.zeros(d), None), roots, T)
            sums.append(T)
        assert np.array_equal(*sums)


def layouts(X):
    wide = np.zeros((2 * len(X), 2 * X.shape[1]), X.dtype)
    wide[::2, 1::2] = X
    packed = np.empty(X.nbytes + 1, np.uint8)[1:].view(X.dtype).reshape(X.shape)
    packed[:] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    yield from (np.asfortranarray(X), wide[::2, 1::2], packed, frozen)
    yield from (X[::-1].copy()[::-1], X[:, ::-1].copy()[:, ::-1], X.astype(X.dtype.newbyteorder()))


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_layout_changes_no_bit(rng, dtype, work):
    X, shift = rng.standard_normal((30_000, 11)).astype(dtype), rng.standard_normal(11)
    expected = chunk_sums(X, shift, work=work)
    for same in layouts(X):
        assert np.array_equal(same, X)
        assert_same_bits(chunk_sums(same, shift, work=work), expected)


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.int64, np.float16, np.longdouble])
def test_every_real_type_is_accumulated_in_float64(rng, dtype, work):
    X, shift = rng.integers(0, 2, (300, 7)).astype(dtype), rng.random(7)
    assert_same_bits(chunk_sums(X, shift, work=work), chunk_sums(X.astype(float), shift, work=work))


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
def test_broadcast_and_mapped_rows(rng, tmp_path, work):
    row, shift = rng.standard_normal(9), rng.standard_normal(9)
    X = np.broadcast_to(row, (300, 9))
    assert_same_sums(chunk_sums(X, shift, work=work), naive(X, shift), X, shift)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    got = chunk_sums(mapped, shift, work=work)
    assert_same_bits(got, chunk_sums(X.copy(), shift, work=work))
    assert type(got.scatter) is np.ndarray


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
@pytest.mark.parametrize("d", [3, 20, 130])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows(rng, d, bad, work):
    X, w = rng.standard_normal((300, d)), rng.random(300)
    for i, j in ((0, 0), (299, d - 1), (256, d // 2)):
        broken = X.copy()
        broken[i, j] = bad
        for weights in (None, w):
            _, total, Q = chunk_sums(broken, np.zeros(d), weights, work=work)
            others = np.arange(d) != j
            assert not np.isfinite(total[j])
            assert not np.isfinite(Q[j]).any()
            assert not np.isfinite(Q[:, j]).any()
            assert np.isfinite(total[others]).all()
            assert np.isfinite(Q[np.ix_(others, others)]).all()


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
def test_whole_weights_are_repetitions(rng, work):
    X, shift, w = rng.standard_normal((200, 5)), np.zeros(5), rng.integers(0, 4, 200)
    repeated = chunk_sums(np.repeat(X, w, axis=0), shift, work=work)
    weighted = chunk_sums(X, shift, w.astype(float), work=work)
    assert_same_sums(weighted, repeated, X, shift, w.astype(float))


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
@pytest.mark.parametrize("scale", [2.0**-1040, 2.0**-1000, 2.0**1000, 2.0**1023])
def test_scales_may_be_extreme(rng, scale, work):
    Z = rng.integers(-8, 8, (300, 5)) / 8.0
    root = np.full(5, scale)
    assert_same_bits(
        chunk_sums(Z * scale, np.zeros(5), None, root, work=work),
        chunk_sums(Z, np.zeros(5), None, np.ones(5), work=work),
    )


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
def test_rounding_does_not_pile_up(work):
    X = np.full((60_000, 3), np.float32(0.1))
    total = chunk_sums(X, np.zeros(3), work=work).total
    assert np.all(np.abs(total / (60_000 * float(np.float32(0.1))) - 1.0) <= 100 * EPS)


@pytest.mark.parametrize(
    "shape", [(0, 3), (1, 1), (1000, 10), (10**6, 20), (10**6, 100), (20_000, 2000)]
)
def test_bounds_tile_the_rows(shape):
    bounds = chunk_bounds(*shape)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == shape[0]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(bounds))
    assert len(bounds) == 1 or min(b - a for a, b in bounds) >= scatter.CHUNK_ROWS
    assert len(bounds).bit_count() == 1


@pytest.mark.parametrize("work", [NEVER, ALWAYS], ids=["blocks", "kernel"])
def test_threads_change_no_bit(rng, work):
    X, shift = rng.standard_normal((70_000, 30)), np.zeros(30)
    bounds = [(i, min(i + 9000, len(X))) for i in range(0, len(X), 9000)]

    def task(rows):
        return chunk_sums(X[slice(*rows)], shift, work=work)

    def merge(a, b):
        return Sums(*(x + y for x, y in zip(a, b, strict=True)))

    expected = map_reduce(task, bounds, merge, 1)
    for threads in (2, 3, 5):
        assert_same_bits(map_reduce(task, bounds, merge, threads), expected)
    assert_same_sums(expected, naive(X, shift), X, shift)


def test_path_depends_on_the_job_and_not_on_the_chunk(monkeypatch):
    asked = []
    monkeypatch.setattr(scatter, "loops", asked.append)
    X, shift = np.zeros((10, 4)), np.zeros(4)
    chunk_sums(X, shift)
    assert not asked
    chunk_sums(X, shift, work=KERNEL_WORK)
    assert asked


def test_without_the_compiler_the_specification_serves(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "mvngrad.core.kernels.scatter", None)
    monkeypatch.delattr("mvngrad.core.kernels.scatter", raising=False)
    X, shift = rng.standard_normal((50, 4)), np.zeros(4)
    assert_same_bits(chunk_sums(X, shift, work=ALWAYS), block_sums(X, shift))


def run_python(code, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, env=env | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_and_small_sums_load_no_compiler():
    code = """
        import sys, numpy as np
        from mvngrad.core.scatter import chunk_sums
        chunk_sums(np.ones((1000, 10)), np.zeros(10))
        print("numba" in sys.modules)
    """
    assert run_python(code) == "False"


def test_compiles_where_no_cache_can_be_written(tmp_path):
    nowhere = tmp_path / "a_file"  # a file's "subdirectories" cannot be made, even by root
    nowhere.touch()
    package = tmp_path / "package"
    package.mkdir()
    (package / "__pycache__").touch()
    (package / "loops.py").write_text(
        "from mvngrad.core.kernels.jit import compiled\n"
        "@compiled\n"
        "def double(x):\n"
        "    return 2.0 * x\n"
    )
    code = "import loops; print(loops.double(2.0), type(loops.double._cache).__name__)"
    got = run_python(
        code,
        PYTHONPATH=os.pathsep.join([str(package), *sys.path]),
        PYTHONDONTWRITEBYTECODE="1",
        NUMBA_CACHE_DIR=str(nowhere / "cache"),
        XDG_CACHE_HOME=str(nowhere / "home"),
    )
    assert got == "4.0 NullCache"
