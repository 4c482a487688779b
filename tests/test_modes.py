"""gpugrad.modes: no_grad, enable_grad, defaults; in threads and tasks too."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import modes
from gpugrad.errors import DeterminismError, DTypeError


@pytest.fixture
def x():
    return gg.tensor([1.0, 2.0], requires_grad=True)


def test_ops_record_by_default(x):
    assert gg.is_grad_enabled() and (x * 2).requires_grad


def test_no_grad_records_nothing(x):
    with gg.no_grad():
        assert not gg.is_grad_enabled()
        y = x * 2
    assert y.node is None and (x * 2).requires_grad


def test_enable_grad_inside_no_grad(x):
    with gg.no_grad():
        with gg.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad


@pytest.mark.parametrize("mode", [True, False])
def test_set_grad_enabled(x, mode):
    with gg.set_grad_enabled(mode):
        assert (x * 2).requires_grad is mode


def test_as_decorators(x):
    @gg.no_grad()
    def constant(x):
        return x * 2

    @gg.enable_grad()
    def recording(x):
        return x * 2

    assert not constant(x).requires_grad and gg.is_grad_enabled()
    with gg.no_grad():
        assert recording(x).requires_grad


def test_a_decorated_function_may_call_itself(x):
    @gg.no_grad()
    def down(n):
        assert not gg.is_grad_enabled()
        return x if n == 0 else down(n - 1) * 2

    assert down(5).tolist() == [32.0, 64.0]
    assert gg.is_grad_enabled()


def test_the_mode_comes_back_after_an_error():
    with pytest.raises(ZeroDivisionError), gg.no_grad():
        raise ZeroDivisionError
    assert gg.is_grad_enabled()


def test_one_object_may_be_entered_again_and_nested(x):
    mode = gg.no_grad()
    with mode:
        with mode:
            assert not gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()
    with mode:
        assert not (x * 2).requires_grad


def test_threads_do_not_disturb_each_other(x):
    def in_thread(mode):
        with gg.set_grad_enabled(mode):
            return [(x * 2).requires_grad for _ in range(50)]

    with gg.no_grad(), ThreadPoolExecutor(4) as pool:
        for mode, found in zip([True, False] * 8, pool.map(in_thread, [True, False] * 8), strict=True):
            assert found == [mode] * 50
        assert not gg.is_grad_enabled()


def test_one_object_may_be_entered_by_several_threads_at_once():
    mode = gg.no_grad()
    inside, left = threading.Barrier(2), threading.Barrier(2)

    def first():
        with mode:
            inside.wait(10)
        found = gg.is_grad_enabled()
        left.wait(10)
        return found

    def second():
        with mode:
            inside.wait(10)
            left.wait(10)
            found = gg.is_grad_enabled()
        return found, gg.is_grad_enabled()

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        assert one.result() is True and two.result() == (False, True)


def test_a_new_thread_records_whatever_its_parent_does():
    with gg.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(gg.is_grad_enabled).result() is True


def test_tasks_do_not_disturb_each_other():
    async def task(mode):
        with gg.set_grad_enabled(mode):
            await asyncio.sleep(0)
            return gg.is_grad_enabled()

    async def main():
        return await asyncio.gather(task(True), task(False), task(True))

    assert asyncio.run(main()) == [True, False, True]
    assert gg.is_grad_enabled()


def test_debug_can_be_switched_off_inside():
    with gg.debug():
        assert modes.flags() & modes.DEBUG
        with gg.debug(False):
            assert not modes.flags() & modes.DEBUG
        with gg.no_grad():
            assert modes.flags() & modes.DEBUG
    assert not modes.flags() & modes.DEBUG


def test_the_default_dtype():
    assert gg.get_default_dtype() == gg.float32 and gg.zeros(2).dtype == gg.float32
    try:
        gg.set_default_dtype("float64")
        assert gg.zeros(2).dtype == gg.float64
        assert gg.asarray(1.0).dtype == gg.float64 and gg.asarray([1j]).dtype == gg.complex128
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(gg.get_default_dtype).result() == gg.float64
    finally:
        gg.set_default_dtype(gg.float32)
    assert gg.asarray([1j]).dtype == gg.complex64


@pytest.mark.parametrize("dtype", ["int64", np.complex64, bool])
def test_the_default_dtype_must_be_real_floating_point(dtype):
    with pytest.raises(DTypeError, match="set_default_dtype: got .*expected a real floating-point dtype"):
        gg.set_default_dtype(dtype)
    assert gg.get_default_dtype() == gg.float32


def test_a_default_pushed_in_one_context_is_its_own():
    default = modes.Default("test_default", 1)
    token = default.push(2)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(default.get).result() == 1
    assert default.get() == 2
    default.pop(token)
    assert default.get() == 1


# set_grad_enabled as a statement, modes without parentheses ------------------------------------------------------------


@pytest.fixture
def fresh():
    """Run a function in a context of its own, so that what it switches does not outlive it."""
    return contextvars.Context().run


def test_set_grad_enabled_takes_effect_at_once(fresh):
    def run():
        gg.set_grad_enabled(False)
        assert not gg.is_grad_enabled()
        gg.set_grad_enabled(True)
        assert gg.is_grad_enabled()
        gg.set_grad_enabled(False)
        with gg.enable_grad():
            assert gg.is_grad_enabled()
        assert not gg.is_grad_enabled()

    fresh(run)
    assert gg.is_grad_enabled()


def test_set_grad_enabled_restores_what_was_before():
    with gg.set_grad_enabled(False):
        with gg.set_grad_enabled(True):
            with gg.set_grad_enabled(False):
                assert not gg.is_grad_enabled()
            assert gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()
    mode = gg.set_grad_enabled(False)
    with mode:
        with mode:
            assert not gg.is_grad_enabled()
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()
    with mode:
        assert not gg.is_grad_enabled()
    assert gg.is_grad_enabled()


def test_set_grad_enabled_as_a_statement_ends_with_the_block_around_it():
    with gg.no_grad():
        mode = gg.set_grad_enabled(True)
        assert gg.is_grad_enabled()
    assert gg.is_grad_enabled()
    with gg.no_grad():
        with mode:
            assert gg.is_grad_enabled()
        assert not gg.is_grad_enabled()


def test_set_grad_enabled_made_in_one_thread_and_entered_in_another(fresh):
    def run():
        mode = gg.set_grad_enabled(False)

        def enter():
            with mode:
                inside = gg.is_grad_enabled()
            return inside, gg.is_grad_enabled()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(enter).result() == (False, True)
        assert not gg.is_grad_enabled()

    fresh(run)


def test_set_grad_enabled_as_a_decorator(x):
    @gg.set_grad_enabled(False)
    def constant(x):
        return x * 2

    assert gg.is_grad_enabled() and not constant(x).requires_grad and gg.is_grad_enabled()


def test_decorators_without_parentheses(x):
    @gg.no_grad
    def constant(x):
        """Doubled."""
        return x * 2

    @gg.enable_grad
    def recording(x):
        return x * 2

    assert not constant(x).requires_grad and gg.is_grad_enabled()
    assert constant.__name__ == "constant" and constant.__doc__ == "Doubled."
    with gg.no_grad():
        assert recording(x).requires_grad


@pytest.mark.parametrize("mode", [gg.no_grad, gg.enable_grad])
def test_what_cannot_be_decorated(mode):
    with pytest.raises(DTypeError, match=f"{mode.__name__}: got bool, expected a function to decorate, or nothing"):
        mode(False)
    assert gg.is_grad_enabled()


def test_deterministic_algorithms_are_asked_for_in_every_thread(caplog):
    assert not gg.are_deterministic_algorithms_enabled()
    modes.refuse_nondeterministic("sum")
    try:
        gg.use_deterministic_algorithms(True)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(gg.are_deterministic_algorithms_enabled).result()
        with pytest.raises(DeterminismError, match="^sum: there is no deterministic way to compute it here"):
            modes.refuse_nondeterministic("sum")
        assert not gg.is_deterministic_algorithms_warn_only_enabled() and not caplog.records
        gg.use_deterministic_algorithms(True, warn_only=True)
        modes.refuse_nondeterministic("sum")
        assert gg.is_deterministic_algorithms_warn_only_enabled()
        assert [r.getMessage().partition(":")[0] for r in caplog.records] == ["gpugrad"]
    finally:
        gg.use_deterministic_algorithms(False, warn_only=True)
    assert not gg.are_deterministic_algorithms_enabled() and not gg.is_deterministic_algorithms_warn_only_enabled()


def test_the_precision_of_float32_products_is_the_same_in_every_thread():
    assert gg.get_float32_matmul_precision() == "highest"
    try:
        gg.set_float32_matmul_precision("high")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(gg.get_float32_matmul_precision).result() == "high"
        with pytest.raises(ValueError, match="^set_float32_matmul_precision: got 'medium', expected 'highest' or 'high'$"):
            gg.set_float32_matmul_precision("medium")
        assert gg.get_float32_matmul_precision() == "high"
    finally:
        gg.set_float32_matmul_precision("highest")


def test_deterministic_or_not_is_a_bool():
    with pytest.raises(
        gg.DTypeError, match="use_deterministic_algorithms: got 'no' and warn_only=False, expected True or False for both"
    ):
        gg.use_deterministic_algorithms("no")
    assert not gg.are_deterministic_algorithms_enabled()
