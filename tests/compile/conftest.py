"""A folder for the kernels that tests compile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpugrad.compile import build


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled kernels are kept in a folder of the test's own; the test is skipped where nothing compiles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        for name in ("GPUGRAD_CC", "GPUGRAD_COMPILE"):
            patch.delenv(name, raising=False)
        build._forget()
        if build.load("int gpugrad_answer(void) { return 42; }\n", "probe") is None:
            pytest.skip("no C compiler here")
        yield
        build._forget()
