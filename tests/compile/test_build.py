"""From C source to a loaded library: the cache, and all that may be wrong with the environment."""

from __future__ import annotations

import ctypes
import importlib.machinery
import logging
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gpugrad
from gpugrad.compile import build

CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_compiler = pytest.mark.skipif(CC is None or os.name != "posix", reason="no C compiler here")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kernels are compiled on POSIX systems only")

ROOT = Path(gpugrad.__file__).parent.parent


def source(number: int) -> str:
    return f"int answer(void) {{ return {number}; }}\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder of the kernels; nothing outside of tmp_path is touched."""
    for name in ("GPUGRAD_CC", "GPUGRAD_COMPILE", "GPUGRAD_COMPILE_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path / "cache"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(build.tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(build, "_HERE", tmp_path / "headers")
    build._forget()
    yield tmp_path / "cache" / "kernels"
    build._forget()


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Make GPUGRAD_CC a script that notes each call; returns the number of calls so far."""
    calls = tmp_path / "calls"

    def install(script: str = f'exec {CC} "$@"') -> None:
        path = tmp_path / "compiler"
        path.write_text(f'#!/bin/sh\necho call >> "{calls}"\n{script}\n')
        path.chmod(0o700)
        monkeypatch.setenv("GPUGRAD_CC", shlex.quote(str(path)))

    def count() -> int:
        return len(calls.read_text().split()) if calls.exists() else 0

    install()
    count.install = install
    return count


def load_anew(text: str, name: str = "kernel"):
    """What a new process would load (though a library that this process has loaded from the same path stays as it is)."""
    build._forget()
    return build.load(text, name)


def load_elsewhere(text: str) -> tuple[str, str]:
    """What a new process prints that calls the function, and what it says besides."""
    code = f"from gpugrad.compile.build import load; print(load({text!r}, 'kernel').answer())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def messages(caplog) -> list[str]:
    assert all(record.name == "gpugrad" and record.levelno == logging.WARNING for record in caplog.records)
    found = [record.getMessage() for record in caplog.records]
    assert all("\n" not in message for message in found)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs_compiler
def test_a_source_becomes_a_library(cache, caplog):
    library = build.load(source(42), "the answer")
    assert library.answer() == 42 and messages(caplog) == []
    assert [path.suffix for path in sorted(cache.iterdir())] == [".c", ".so", ".sum"]
    assert all(path.name.startswith("the_answer-") for path in cache.iterdir())
    assert next(cache.glob("*.c")).read_text() == source(42)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(next(cache.glob("*.so")).stat().st_mode) == 0o600


@needs_compiler
def test_a_group_that_may_write_by_default_gets_nothing(cache):
    before = os.umask(0o002)
    try:
        assert build.load(source(1), "kernel").answer() == 1
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700 and load_anew(source(1)).answer() == 1


@needs_compiler
def test_the_compiler_runs_once(compiler):
    first = build.load(source(1), "kernel")
    assert build.load(source(1), "kernel") is first and compiler() == 1
    assert load_anew(source(1)).answer() == 1 and compiler() == 1
    assert build.load(source(2), "kernel").answer() == 2 and compiler() == 2


@needs_compiler
def test_a_new_process_finds_the_entry(compiler):
    assert load_elsewhere(source(1)) == ("1", "") and compiler() == 1
    assert load_elsewhere(source(1)) == ("1", "") and compiler() == 1


@needs_compiler
@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "no checksum", "no library", "empty checksum"])
def test_a_damaged_entry_is_built_again(cache, compiler, damage):
    load_elsewhere(source(1))
    library, checksum = next(cache.glob("*.so")), next(cache.glob("*.sum"))
    content = library.read_bytes()
    if damage.startswith("no "):
        (library if damage == "no library" else checksum).unlink()
    else:
        path = checksum if damage == "empty checksum" else library
        path.write_bytes({"truncated": content[:5000], "changed": content[:4096] + b"\xff" + content[4097:]}.get(damage, b""))
    assert load_elsewhere(source(1)) == ("1", "") and compiler() == 2
    assert library.read_bytes() == content and checksum.read_bytes() == build._checksum(content)
    assert load_elsewhere(source(1)) == ("1", "") and compiler() == 2


@needs_compiler
def test_a_library_that_does_not_load_is_built_again(cache, compiler):
    load_elsewhere(source(1))
    library, checksum = next(cache.glob("*.so")), next(cache.glob("*.sum"))
    library.write_bytes(b"of another system")
    checksum.write_bytes(build._checksum(b"of another system"))
    assert load_elsewhere(source(1)) == ("1", "") and compiler() == 2


@needs_compiler
def test_a_library_that_can_never_be_loaded(caplog):
    missing = "void gpugrad_nowhere(void); void answer(void) { gpugrad_nowhere(); }"
    assert build.load(missing, "kernel") is None and build.load(missing, "kernel") is None
    assert len(messages(caplog)) == 1 and "gpugrad_nowhere" in messages(caplog)[0]


@needs_compiler
@pytest.mark.parametrize("what", ["_FLAGS", "_headers", "_machine", "compiler"])
def test_the_key_covers_what_decides_the_result(compiler, monkeypatch, tmp_path, what):
    build.load(source(1), "kernel")
    if what == "compiler":
        os.utime(tmp_path / "compiler", (0, 0))
    elif what == "_FLAGS":
        monkeypatch.setattr(build, what, (*build._FLAGS, "-O1"))
    build._forget()
    if what in ("_headers", "_machine"):
        before, other = getattr(build, what)(), b"more" if what == "_headers" else "more"
        changed = lambda: before + other
        changed.cache_clear = lambda: None
        monkeypatch.setattr(build, what, changed)
    assert build.load(source(1), "kernel").answer() == 1 and compiler() == 2


@needs_compiler
def test_the_packages_headers_are_found(tmp_path, monkeypatch):
    (tmp_path / "number.h").write_text("#define NUMBER 7\n")
    monkeypatch.setattr(build, "_HERE", tmp_path)
    assert load_anew('#include "number.h"\nint answer(void) { return NUMBER; }').answer() == 7
    (tmp_path / "number.h").write_text("#define NUMBER 8\n")
    assert load_anew('#include "number.h"\nint answer(void) { return NUMBER; }').answer() == 8


@needs_compiler
def test_the_mathematics_keep_to_the_letter_of_ieee():
    """No -ffast-math: nan and inf exist, and a product and a sum are rounded each."""
    text = """
    double sum(double a, double b, double c) { return a * b + c; }
    int is_nan(double x) { return x != x; }
    double sine(double x) { return __builtin_sin(x); }
    """
    library = build.load(text, "kernel")
    for function in (library.sum, library.sine):
        function.restype = ctypes.c_double
    library.sum.argtypes, library.sine.argtypes = [ctypes.c_double] * 3, [ctypes.c_double]
    library.is_nan.argtypes = [ctypes.c_double]
    tiny = 2.0**-30
    assert library.sum(1 + tiny, 1 + tiny, -1 - 2 * tiny) == 0.0  # a fused multiply-add gives 2 ** -60
    assert library.is_nan(float("nan")) == 1 and library.sine(0.0) == 0.0


@needs_compiler
def test_the_compiler_of_the_package_ziglang(monkeypatch, tmp_path, caplog):
    package = tmp_path / "ziglang"
    package.mkdir()
    (package / "zig").write_text(f'#!/bin/sh\n[ "$1" = cc ] || exit 1\nshift\nPATH={os.environ["PATH"]} exec {CC} "$@"\n')
    (package / "zig").chmod(0o700)
    spec = importlib.machinery.ModuleSpec("ziglang", None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: spec if name == "ziglang" else None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.load(source(1), "kernel").answer() == 1 and messages(caplog) == []


# Environments in which nothing can be compiled


def test_no_compiler_on_the_path(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    build._forget()
    assert build.load(source(1), "kernel") is None and build.load(source(2), "kernel") is None
    assert len(messages(caplog)) == 1 and "no C compiler was found" in messages(caplog)[0]


@pytest.mark.parametrize("command", ["none", "no-such-compiler -O2", "'unbalanced"])
def test_a_command_that_is_none(monkeypatch, caplog, command):
    monkeypatch.setenv("GPUGRAD_CC", command)
    assert build.load(source(1), "kernel") is None and build.load(source(2), "kernel") is None
    assert len(messages(caplog)) == 1 and command in messages(caplog)[0]


@pytest.mark.parametrize("word", ["0", "false", "No", " off "])
def test_switched_off(monkeypatch, caplog, cache, word):
    monkeypatch.setenv("GPUGRAD_COMPILE", word)
    assert build.load(source(1), "kernel") is None
    assert messages(caplog) == [] and not cache.exists()


def test_a_compiler_that_fails(compiler, cache, caplog):
    compiler.install("echo it is broken >&2; exit 3")
    assert build.load(source(1), "kernel") is None
    tried = compiler()
    assert build.load(source(1), "kernel") is None and compiler() == tried
    assert build.load(source(2), "kernel") is None
    log = next(cache.glob("*.log"))
    assert len(messages(caplog)) == 1 and "exit status 3" in messages(caplog)[0] and str(cache) in messages(caplog)[0]
    assert "it is broken" in log.read_text() and log.with_suffix(".c").exists()
    assert {path.suffix for path in cache.iterdir()} == {".c", ".log"}


def test_a_compiler_that_cannot_be_started(tmp_path, monkeypatch, cache, caplog):
    (tmp_path / "compiler").write_bytes(b"\x7fELF, but no program")
    (tmp_path / "compiler").chmod(0o700)
    monkeypatch.setenv("GPUGRAD_CC", shlex.quote(str(tmp_path / "compiler")))
    assert build.load(source(1), "kernel") is None
    assert len(messages(caplog)) == 1 and "failed" in messages(caplog)[0]
    assert "Exec format error" in next(cache.glob("*.log")).read_text()


@needs_compiler
def test_a_source_that_is_no_c(cache, caplog):
    assert build.load("this is no C", "kernel") is None
    assert str(next(cache.glob("*.log"))) in messages(caplog)[0]
    assert build.load(source(2), "kernel").answer() == 2  # the compiler is still believed in


@needs_compiler
def test_a_compiler_that_succeeds_without_a_library(compiler, caplog):
    compiler.install("exit 0")
    assert build.load(source(1), "kernel") is None
    assert len(messages(caplog)) == 1


@needs_compiler
@pytest.mark.parametrize("refused, calls", [("-march=native", 2), ("-m*=native", 3)])
def test_a_compiler_that_does_not_know_the_processor(compiler, refused, calls):
    compiler.install(  # the real compiler does not see -mcpu=native, which it may refuse
        f'for flag in "$@"; do shift; case "$flag" in {refused}) exit 1;; -mcpu=native) ;; *) set -- "$@" "$flag";; esac; done\n'
        f'exec {CC} "$@"'
    )
    assert build.load(source(1), "kernel").answer() == 1 and compiler() == calls
    assert build.load(source(2), "kernel").answer() == 2 and compiler() == calls + 1  # and is not asked again


def test_a_compiler_that_hangs(compiler, monkeypatch, tmp_path, cache, caplog):
    compiler.install(f'sleep 1000 & echo $! > "{tmp_path}/child"; wait')
    monkeypatch.setenv("GPUGRAD_COMPILE_TIMEOUT", "1")
    assert build.load(source(1), "kernel") is None and build.load(source(2), "kernel") is None
    assert compiler() == 1  # one that hung is not started again
    assert len(messages(caplog)) == 1 and "did not finish in 1 s" in messages(caplog)[0]
    child = int((tmp_path / "child").read_text())
    assert any(ended(child) for _ in range(100)), "the compiler's own child was not killed"
    assert not list(cache.glob(".build-*"))


@pytest.mark.parametrize("text, seconds", [("2.5", 2.5), ("0", 60), ("-1", 60), ("nan", 60), ("soon", 60)])
def test_the_time_that_a_compiler_has(monkeypatch, text, seconds):
    monkeypatch.setenv("GPUGRAD_COMPILE_TIMEOUT", text)
    assert build._timeout() == seconds


def ended(process: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    state = done.stdout.strip()
    if state and not state.startswith("Z"):
        time.sleep(0.05)
        return False
    return True


def test_an_interrupt_leaves_nothing_behind(compiler, cache, monkeypatch):
    compiler.install("sleep 1000")
    started = []

    def interrupted(process):
        started.append(process)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build.load(source(1), "kernel")
    assert started[0].returncode == -9 and names(cache) == []


# Folders that cannot be used


@needs_compiler
@pytest.mark.parametrize("where", ["/proc/gpugrad", "file/inside"])
def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path, caplog, where):
    if where.startswith("/proc") and not os.path.isdir("/proc/self"):
        pytest.skip("no /proc here")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path / where))
    assert [build.load(source(n), "kernel").answer() for n in (1, 2)] == [1, 2]
    assert len(messages(caplog)) == 1 and "for this process only" in messages(caplog)[0]
    assert len(list((tmp_path / "temporary").glob("gpugrad-*/*.so"))) == 2


@needs_compiler
def test_a_read_only_folder_is_read(cache, monkeypatch, compiler, caplog, tmp_path):
    build.load(source(1), "kernel")
    real = build.tempfile.mkdtemp

    def read_only(*args, **options):  # permissions do not stop the superuser, under whom tests may run
        if options.get("dir") == cache:
            raise PermissionError(13, "Read-only file system", str(cache))
        return real(*args, **options)

    monkeypatch.setattr(build.tempfile, "mkdtemp", read_only)
    assert load_anew(source(1)).answer() == 1 and compiler() == 1 and messages(caplog) == []
    assert build.load(source(2), "kernel").answer() == 2 and compiler() == 2
    assert len(messages(caplog)) == 1 and "Read-only file system" in messages(caplog)[0]
    assert len(list((tmp_path / "temporary").glob("gpugrad-*/*.so"))) == 1


@needs_compiler
def test_nothing_can_be_written_at_all(monkeypatch, caplog):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.tempfile, "mkdtemp", full)
    assert build.load(source(1), "kernel") is None
    assert len(messages(caplog)) == 2 and "cannot be stored" in messages(caplog)[1]


@needs_compiler
@pytest.mark.parametrize(
    "script",
    ['echo "ld: final link failed: No space left on device" >&2; exit 1', "for x; do case $x in *.so) : > $x;; esac; done"],
)
def test_a_full_disk_is_no_fault_of_the_compiler(cache, compiler, caplog, script, tmp_path):
    compiler.install(f'case "$PWD" in {cache}/*) {script}; exit;; esac\nexec {CC} "$@"')
    assert build.load(source(1), "kernel").answer() == 1
    assert len(messages(caplog)) == 1 and "No space left on device" in messages(caplog)[0]
    assert names(cache) == [] and len(list((tmp_path / "temporary").glob("gpugrad-*/*.so"))) == 1


@needs_compiler
@pytest.mark.parametrize("what", ["parent", "folder", "entry"])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_what_others_may_write_is_refused(cache, compiler, caplog, what, mode):
    build.load(source(1), "kernel")
    path = {"parent": cache.parent, "folder": cache, "entry": next(cache.glob("*.so"))}[what]
    path.chmod(mode)
    assert load_anew(source(1)).answer() == 1 and compiler() == 2
    assert len(messages(caplog)) == 1 and str(path) in messages(caplog)[0] and "chmod go-w" in messages(caplog)[0]


@needs_compiler
def test_a_sticky_parent_folder_will_do(cache, caplog):
    cache.parent.mkdir()
    cache.parent.chmod(0o1777)
    assert build.load(source(1), "kernel").answer() == 1 and messages(caplog) == []


@needs_compiler
@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_no_folder(monkeypatch, caplog, home, tmp_path):
    for name in ("GPUGRAD_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)
    assert build.load(source(1), "kernel").answer() == 1
    assert len(messages(caplog)) == 1 and f"HOME is {home!r}" in messages(caplog)[0]
    assert len(list((tmp_path / "temporary").glob("gpugrad-*/*.so"))) == 1


@needs_compiler
def test_what_belongs_to_another_user_is_refused(cache, compiler, caplog, monkeypatch):
    build.load(source(1), "kernel")
    owner = os.geteuid()
    monkeypatch.setattr(build.os, "geteuid", lambda: owner + 1)
    assert load_anew(source(2)).answer() == 2
    assert len(messages(caplog)) == 1 and f"another user, number {owner}" in messages(caplog)[0]
    assert len(list(cache.glob("*.so"))) == 1


@needs_compiler
def test_the_temporary_folder_goes_with_the_process(tmp_path):
    code = (
        "import os; from gpugrad.compile.build import load, _state\n"
        f"print(load({source(1)!r}, 'kernel').answer(), _state.folder, flush=True)\n"
        "child = os.fork()\n"
        "if not child: raise SystemExit\n"
        "os.waitpid(child, 0); assert _state.folder.exists()\n"
    )
    environment = {**os.environ, "GPUGRAD_CACHE_DIR": "/dev/null/kernels", "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    answer, folder = done.stdout.split()
    assert answer == "1" and Path(folder).parent == tmp_path / "temporary" and names(tmp_path / "temporary") == []
    assert "for this process only" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"GPUGRAD_CACHE_DIR": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/gpugrad"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, None),
        ({"HOME": "/h"}, None),
    ],
)
def test_where_the_cache_is(monkeypatch, variables, expected):
    for name in ("GPUGRAD_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    home = "/h/Library/Caches/gpugrad" if sys.platform == "darwin" else "/h/.cache/gpugrad"
    assert str(build.cache_folder()) == (expected or home)


# Several at once, and housekeeping


@needs_compiler
def test_processes_that_compile_the_same_kernels_at_once(cache):
    code = "from gpugrad.compile.build import load\n" + "".join(
        f"print(load({source(n)!r}, 'kernel').answer())\n" for n in (1, 2)
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate() for process in running] == [("1\n2\n", "")] * 4
    assert len(list(cache.iterdir())) == 6
    assert load_elsewhere(source(1)) == ("1", "")


@needs_compiler
def test_the_entries_unused_for_longest_are_dropped(cache, compiler, monkeypatch):
    for number in range(4):
        build.load(source(number), f"kernel{number}")
        for path in cache.glob(f"kernel{number}-*"):
            os.utime(path, (time.time() - 10 * build._DAY + number,) * 2)
    assert load_anew(source(0), "kernel0").answer() == 0  # used again
    size = sum(path.stat().st_size for path in cache.iterdir())
    (cache / ".build-left").mkdir()
    os.utime(cache / ".build-left", (0, 0))
    monkeypatch.setattr(build, "_CACHE_BYTES", size)
    build.load(source(5), "kernel5")
    left = {name.partition("-")[0] for name in names(cache)}
    assert {"kernel0", "kernel5"} <= left and not {"kernel1", "kernel2"} & left
    assert not (cache / ".build-left").exists()
    assert load_anew(source(0), "kernel0").answer() == 0 and compiler() == 5
