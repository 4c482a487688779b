"""The command line: exit codes, what is printed, JSON; and that it needs nothing but what gpugrad needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gpugrad as gg
from gpugrad import __main__ as command
from gpugrad.arrays.devices import import_cupy

GPU = pytest.mark.skipif(not gg.cuda.is_available(), reason="needs CuPy")
ROOT = Path(gg.__file__).resolve().parents[1]


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["info"]) == 0
    assert f"gpugrad {gg.__version__}" in capsys.readouterr().out
    assert command.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"]["gpugrad"] == gg.__version__


def test_check_on_the_cpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    assert command.main(["check", "--device", "cpu", "--only", "logadd*", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert (
        "pass    op        logaddexp" in out
        and "pass    fused     logaddexp" in out
        and "2 of 2 compute right on the CPU" in out
    )
    found = json.loads(file.read_text())
    assert [r["status"] for r in found["results"]] == ["pass", "pass"] and found["about"]["versions"] and found["date"]


@GPU
def test_check_on_a_gpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for only in ("softmax", "random", "transfer", "training"):
        assert command.main(["check", "--device", "cuda", "--only", only, "--json", str(file)]) == 0
        assert f"compute right on {gg.cuda.get_device_name()}" in capsys.readouterr().out
        assert json.loads(file.read_text())["device"] == "cuda:0"


@GPU
def test_check_on_the_last_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    device = f"cuda:{gg.cuda.device_count() - 1}"
    assert command.main(["check", "--device", device, "--only", "op:tri[lu]"]) == 0
    assert "2 of 2 compute right" in capsys.readouterr().out


def test_a_check_that_fails_gives_1_and_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import numpy as np

    monkeypatch.setitem(gg.exp.kernels, np.ndarray, lambda x: x * np.inf)  # type: ignore[attr-defined]
    file = tmp_path / "results.json"
    assert command.main(["check", "--device", "cpu", "--only", "op:exp", "--json", str(file)]) == 1
    assert "0 of 1 compute right on the CPU" in (out := capsys.readouterr().out) and "not right: op:exp" in out
    (result,) = json.loads(file.read_text(), parse_constant=pytest.fail)["results"]  # JSON has no Infinity
    assert result["error"] == "inf"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cuda:99"], "gpugrad check: device 'cuda:99': "),
        (["--device", "tpu"], "gpugrad check: unknown device 'tpu'"),
        (["--device", "cpu", "--only", "softmix"], "gpugrad check: no check is called 'softmix'"),
        (["--device", "cpu", "--full"], "gpugrad check: --full needs a GPU, and the device is cpu"),
        (["--device", "cuda:99", "--full"], "gpugrad check: device 'cuda:99': "),
        (
            ["--device", "cuda", "--full", "--only", "softmax"],
            "gpugrad check: --full runs every check, and --only is 'softmax'",
        ),
        (["--device", "cpu", "--json", str(ROOT)], f"gpugrad check: cannot write '{ROOT}'"),
    ],
)
def test_what_cannot_be_checked_gives_2_and_says_why(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["check", *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.skipif(gg.cuda.is_available() and not hasattr(import_cupy(), "standin"), reason="there is a GPU")
def test_without_a_gpu_the_full_check_has_nothing_to_run_on(tmp_path: Path) -> None:
    """The script starts, in a process of its own, and says so."""
    command = [sys.executable, "-m", "gpugrad", "check", "--device", "cuda", "--full", "--json", str(tmp_path / "results.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 2 and "gpu.py: nothing was run: there is no GPU that gpugrad can use" in done.stderr
    assert not (tmp_path / "results.json").exists()


@GPU
@pytest.mark.parametrize(("visible", "seen"), [(None, "0"), ("3,1", "3"), (" GPU-5", "GPU-5")])
def test_the_full_check_of_one_gpu_sees_that_alone(monkeypatch: pytest.MonkeyPatch, visible: str | None, seen: str) -> None:
    environments: list[dict[str, str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: environments.append(env) or 0)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert command.main(["check", "--device", "cuda", "--full"]) == command.main(["check", "--device", "cuda:0", "--full"]) == 0
    assert [env.get("CUDA_VISIBLE_DEVICES") for env in environments] == [visible, seen]


@GPU
def test_what_does_not_compile_during_a_check_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    modules = pytest.importorskip("gpugrad.arrays.cuda.modules")
    monkeypatch.setattr(modules, "failures", {})
    monkeypatch.setattr("gpugrad.check.report.run", lambda *a: modules.failures.update({"the fused function f": "/tmp/f.log"}))
    file = tmp_path / "results.json"
    assert command.main(["check", "--device", "cuda", "--only", "op:exp", "--json", str(file)]) == 0
    assert "the fused function f did not compile: its log is /tmp/f.log" in capsys.readouterr().out
    assert "the fused function f did not compile" in json.loads(file.read_text())["about"]["kernels"]["cuda"]


def test_the_full_check_outside_of_a_checkout_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    assert command.main(["check", "--device", "cuda", "--full"]) == 2
    assert (
        "--full needs a checkout of gpugrad: benchmarks/gpu.py and tests/ are not beside the package" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("cpu --json .", "gpugrad bench: cannot write '.'"),
        ("cpu,cuda:99", "gpugrad bench: device 'cuda:99': "),
        ("tpu", "gpugrad bench: unknown device 'tpu'"),
    ],
)
def test_bench_that_cannot_be_gives_2(devices: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["bench", "--quick", "--devices", *devices.split()]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_bench_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []
    monkeypatch.setattr("gpugrad.bench.report.bench", lambda *options: seen.append(options) or 1)
    file = tmp_path / "bench.json"
    assert command.main(["bench"]) == 1
    assert command.main(["bench", "--devices", "cuda:0,cuda:1", "--quick", "--json", str(file)]) == 1
    assert command.main(["bench", "--plot", "x.png"]) == 1
    assert seen == [(None, False, None, None), ("cuda:0,cuda:1", True, file, None), (None, False, None, Path("x.png"))]


def test_bench_shows_a_file_without_measuring(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[object] = []
    monkeypatch.setattr("gpugrad.bench.report.show", lambda *options: seen.append(options) or 0)
    assert command.main(["bench", "--from", "x.json"]) == command.main(["bench", "--from", "x.json", "--plot", "x.png"]) == 0
    assert seen == [(Path("x.json"), None), (Path("x.json"), Path("x.png"))]
    for more in (["--quick"], ["--devices", "cpu"]):
        assert command.main(["bench", "--from", "x.json", *more]) == 2
        assert capsys.readouterr().err.startswith("gpugrad bench: --from measures nothing")


def test_an_interrupted_bench_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpugrad.bench.report.bench", interrupted)
    assert command.main(["bench"]) == 130


def test_it_needs_no_package_of_the_tests() -> None:
    """An installed gpugrad checks itself without pytest, hypothesis and array-api-strict, and `info` imports no records, no cases."""
    code = (
        "import sys\n"
        "for name in ('pytest', 'hypothesis', 'array_api_strict', 'ml_dtypes'): sys.modules[name] = None\n"
        "from gpugrad.__main__ import main\n"
        "assert main(['info']) == 0 and not {'gpugrad.check.records', 'gpugrad.bench'} & {*sys.modules}\n"
        "assert main(['check', '--device', 'cpu', '--only', 'op:sqrt']) == 0"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 compute right" in done.stdout
