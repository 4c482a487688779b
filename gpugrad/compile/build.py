"""From C source to a loaded shared library, by the system's compiler, with a cache on disk.

The environment is never a reason to fail: without a compiler, with one that fails or hangs, or where nothing can be written,
:func:`load` says so in one line and returns None, and the caller runs the plain definition.

Environment variables, read when a kernel is first asked for:

``GPUGRAD_COMPILE``          0, no, off or false switches compilation off
``GPUGRAD_CC``               the compiler, with arguments if need be; "none" stands for no compiler
``GPUGRAD_CACHE_DIR``        where libraries are kept, in place of the user's cache folder
``GPUGRAD_COMPILE_TIMEOUT``  seconds after which a compiler is taken to hang (60)

An entry of the cache is a library `<name>-<key>.so`, its checksum `.sum` and its source `.c`; where the compiler failed, the
source and a `.log`. The key covers all that decides what the compiler makes: an entry is never wrong, only unused.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import errno
import functools
import hashlib
import importlib.util
import logging
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_FLAGS = (
    "-std=gnu11",  # C11 with GNU C's attributes and vector types, whatever the compiler's default
    "-O3",  # vectorise loops
    "-fPIC",  # code of a shared library
    "-shared",
    "-pthread",  # for the thread pool of runtime.c, where the C library keeps threads apart
    "-fopenmp-simd",  # obey `#pragma omp simd`; needs no OpenMP library
    "-fno-math-errno",  # nobody reads errno: sqrt becomes an instruction, loops that call it vectorise
    "-fno-trapping-math",  # nobody reads the floating-point flags: both sides of a choice may be computed
    "-ffp-contract=off",  # a * b + c rounds twice, as NumPy's; a fused multiply-add is there where the source asks for one
    "-fwrapv",  # integers wrap around, as NumPy's
    "-fno-strict-aliasing",  # memory is read as the type that the kernel says, whatever wrote it
    "-w",  # generated code is not there to be tidy
)
_PREFER: tuple[str, ...] = ()  # on x86-64: the place for -mprefer-vector-width=512
# All instructions of this CPU. The first set that the compiler (and its assembler) takes is used.
_NATIVE = (("-march=native", *_PREFER), ("-mcpu=native",), ())
_LINK = ("-lm", *(("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()))  # Python's symbols are in the process

_CACHE_BYTES = 512 * 2**20
_DAY = 86400.0
_TIMEOUT = 60.0
_FULL = (b"No space left on device", b"Disk quota exceeded")  # in the words of any compiler, with LC_ALL=C
_CPU = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "cpu", "isa", "Features")  # of /proc/cpuinfo

_log = logging.getLogger("gpugrad")


class _RefusedError(OSError):
    """A folder or a file that somebody else could have written: what is in it must not run."""


@dataclass
class _State:
    """What this process has found out; :func:`_forget` starts anew."""

    libraries: dict[tuple[str, str], ctypes.CDLL | None] = field(default_factory=dict)  # by name and source; None: failed
    locks: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    folder: Path | None = None
    native: int = 0  # which of _NATIVE the compiler takes
    hung: bool = False  # a compiler that hung once is not started again


_state = _State()


def load(source: str, name: str) -> ctypes.CDLL | None:
    """The loaded shared library of a C source, from the cache or newly compiled.

    None where that cannot be done, after one line of information through the logger "gpugrad", once per process and cause.
    The same source gives the same library again; a failure is remembered, too. May be called by several threads at once:
    different sources are compiled side by side.

    :param source: C. It may include "maths.h" and all else that is in the folder of this module.
    :param name: what the file is called in the cache, for people.
    """
    state, wanted = _state, (name, source)
    if wanted not in state.libraries:
        with state.locks.setdefault(wanted, threading.Lock()):
            if wanted not in state.libraries:
                state.libraries[wanted] = _load(source, re.sub(r"\W", "_", name)[:64])
    return state.libraries[wanted]


def enabled() -> bool:
    """Whether the environment lets kernels be compiled."""
    return os.environ.get("GPUGRAD_COMPILE", "").strip().lower() not in ("0", "no", "off", "false")


def _forget() -> None:
    """For tests: as if this process had not asked for a kernel before, so that the environment is read again."""
    global _state
    _state = _State()
    compiler.cache_clear()
    _headers.cache_clear()


def _after_fork() -> None:
    _state.locks = {}  # one may have been held by a thread that the child does not have


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _load(source: str, name: str) -> ctypes.CDLL | None:
    if not enabled():
        return None
    command = compiler()
    if command is None:
        return None
    entry = f"{name}-{_key(source, command)}"
    try:
        folder = _folder()
        return _cached(folder, entry) or _built(folder, entry, source, command)
    except OSError as error:
        _tell("folder", f"the folder for compiled kernels cannot be used ({error}), so they are kept for this process only")
    try:
        _state.folder = _temporary_folder()
        return _cached(_state.folder, entry) or _built(_state.folder, entry, source, command)
    except OSError as error:
        _tell("temporary", f"compiled kernels cannot be stored ({error}), so the plain definitions run")
        return None


def _tell(cause: str, message: str) -> None:
    if cause not in _state.told:
        _state.told.add(cause)
        _log.warning("gpugrad: %s", message)


# The compiler


@functools.cache
def compiler() -> tuple[str, ...] | None:
    """The command that starts the compiler, or None after saying why there is none."""
    instead = "so the plain definitions run instead of compiled kernels"
    if os.name != "posix":
        _tell("compiler", f"kernels are not compiled on {sys.platform}, {instead}")
        return None
    asked = os.environ.get("GPUGRAD_CC", "").strip()
    if asked:
        try:
            words = shlex.split(asked)
        except ValueError:
            words = [asked]
        path = shutil.which(words[0])
        if path is None:
            _tell("compiler", f"GPUGRAD_CC is {asked!r}, which is no command, {instead}")
            return None
        return (os.path.abspath(path), *words[1:])  # it runs in another folder
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return (os.path.abspath(path),)
    zig = importlib.util.find_spec("ziglang")
    if zig is not None and zig.submodule_search_locations:
        program = Path(zig.submodule_search_locations[0], "zig")
        start = (str(program),) if program.exists() else (sys.executable, "-m", "ziglang")
        return (*start, "cc", "-fno-sanitize=all")  # zig checks for undefined behaviour unless told not to
    _tell("compiler", f"no C compiler was found (cc, gcc or clang, or the package ziglang), {instead}")
    return None


@functools.cache
def _headers() -> bytes:
    """The text of all headers that a source may include."""
    return b"\0".join(path.read_bytes() for path in sorted(_HERE.glob("*.h")))


@functools.cache
def _machine() -> str:
    """The processor, the system and its C library: what -march=native and linking depend on."""
    system = os.uname()
    facts = [sys.platform, system.machine]
    with contextlib.suppress(OSError, ValueError):
        facts.append(os.confstr("CS_GNU_LIBC_VERSION") or "")
    try:
        with open("/proc/cpuinfo", "rb", buffering=0) as file:  # the first processor is enough: all of them take a while
            text = file.read(16384).decode(errors="replace").partition("\n\n")[0]
        pairs = [line.partition(":") for line in text.splitlines()]
        facts += [value.strip() for name, _, value in pairs if name.strip() in _CPU or name.startswith("CPU ")]
    except OSError:
        facts.append(_apple_processor() or system.version)
    return "\n".join(facts)


def _apple_processor() -> str:
    """The name of the processor on macOS, "" elsewhere."""
    query = getattr(ctypes.CDLL(None), "sysctlbyname", None)
    text, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
    if query is None or query(b"machdep.cpu.brand_string", text, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return ""
    return text.value.decode(errors="replace")


def _key(source: str, command: tuple[str, ...]) -> str:
    """All that decides what the compiler makes of a source, as 32 hexadecimal digits.

    The compiler is known by its files' paths, sizes and times. That says as much as its --version, kept from an earlier
    process, would, and an entry of the cache is found without starting anything.
    """
    digest = hashlib.blake2b(digest_size=16)
    parts = [source, _machine(), *_FLAGS, *sum(_NATIVE, ()), *_LINK, *command]
    for word in command:
        with contextlib.suppress(OSError):
            info = os.stat(word)
            parts.append(f"{os.path.realpath(word)} {info.st_size} {info.st_mtime_ns}")
    for part in (_headers(), *(text.encode() for text in parts)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _timeout() -> float:
    try:
        seconds = float(os.environ["GPUGRAD_COMPILE_TIMEOUT"])
    except (KeyError, ValueError):
        return _TIMEOUT
    return seconds if seconds > 0 else _TIMEOUT  # nan is not


def _run(command: list[str], build: Path, log: Path) -> int | None:
    """The exit status of the compiler, run in the folder `build`; None if it hung and was killed. Its output goes to `log`."""
    # Its own temporary files lie in `build`, too, so that nothing is left behind when it is killed.
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(build)}
    environment["ZIG_LOCAL_CACHE_DIR"] = str(build / "zig")  # what it keeps of each source
    environment.setdefault("ZIG_GLOBAL_CACHE_DIR", str(build.parent / "zig"))  # its C library, made in seconds, once
    with open(log, "ab") as output:
        output.write(f"{shlex.join(command)}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                command,
                cwd=build,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a group of its own: a compiler is several processes, and all must be killed
            )
        except OSError as error:
            output.write(f"{error}\n".encode())
            return 127  # what a shell says where a command cannot be started
        try:
            limit = time.monotonic() + _timeout()
            while process.poll() is None and time.monotonic() < limit:
                time.sleep(0.001)  # Popen.wait with a timeout sleeps for up to 50 ms: as long as a compiler takes
            return process.returncode
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


# The cache


def _folder() -> Path:
    """The folder for compiled kernels; it exists, and nobody else can write to it. OSError otherwise."""
    if _state.folder is None:
        kernels = cache_folder() / "kernels"
        for folder in (kernels.parent.parent, kernels.parent, kernels):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_parent(kernels.parent)
        _check(kernels, os.stat(kernels))
        _state.folder = kernels
    return _state.folder


def cache_folder() -> Path:
    """Where gpugrad keeps files between processes. OSError where there is no home directory."""
    asked, cache = os.environ.get("GPUGRAD_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME", "")
    if asked:
        return Path(asked).absolute()
    if os.path.isabs(cache):  # the XDG specification: others are to be ignored
        return Path(cache, "gpugrad")
    if not os.path.isabs(os.environ.get("HOME", "/")):
        raise FileNotFoundError(f"HOME is {os.environ['HOME']!r}, which is no folder")
    try:
        home = Path.home()
    except RuntimeError as error:
        raise FileNotFoundError("there is no home directory") from error
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "gpugrad"


def _check(path: Path, info: os.stat_result) -> None:
    """_RefusedError if somebody else could have written to a folder or a file."""
    if info.st_uid != os.geteuid():
        raise _RefusedError(f"{path} belongs to another user, number {info.st_uid}")
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _RefusedError(f"other users may write to {path}: chmod go-w would make it fit")


def _check_parent(path: Path) -> None:
    """_RefusedError if somebody else could put another folder in the place of one of ours; the superuser can anyway."""
    info = os.stat(path)
    if info.st_uid not in (0, os.geteuid()):
        raise _RefusedError(f"{path} belongs to another user, number {info.st_uid}")
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not info.st_mode & stat.S_ISVTX:  # sticky, as /tmp: only owners rename
        raise _RefusedError(f"other users may write to {path}: chmod go-w would make it fit")


def _temporary_folder() -> Path:
    """A new folder that is removed when this process ends."""
    folder, process = Path(tempfile.mkdtemp(prefix="gpugrad-")), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # and not a fork of it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _cached(folder: Path, entry: str) -> ctypes.CDLL | None:
    """The library of an entry, or None where it is absent, damaged or does not load."""
    path = folder / f"{entry}.so"
    try:
        with open(path, "rb") as file:
            info, content = os.fstat(file.fileno()), file.read()
        checksum = (folder / f"{entry}.sum").read_bytes()
    except FileNotFoundError:
        return None
    _check(path, info)
    if checksum != _checksum(content):  # before loading: a truncated library would crash the process
        return None
    if time.time() - info.st_mtime > _DAY:
        with contextlib.suppress(OSError):
            os.utime(path)  # in use, so not among the oldest
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()


def _built(folder: Path, entry: str, source: str, command: tuple[str, ...]) -> ctypes.CDLL | None:
    """The library of an entry, newly compiled; None after saying what went wrong. OSError if the folder cannot be written to."""
    if _state.hung:
        return None
    # Several processes may compile the same kernel at once. Each does so in a folder of its own, and files appear in the
    # cache complete; whichever comes last, they are equally good.
    build = Path(tempfile.mkdtemp(prefix=".build-", dir=folder))
    try:
        text, library, log, checksum = (build / f"{entry}.{end}" for end in ("c", "so", "log", "sum"))
        text.write_text(source, encoding="utf-8")
        status: int | None = None
        for choice in range(_state.native, len(_NATIVE)):
            flags = (*_FLAGS, *_NATIVE[choice], f"-I{_HERE}")
            status = _run([*command, *flags, text.name, "-o", library.name, *_LINK], build, log)
            if status == 0:
                _state.native = choice
            if status in (0, None):
                break
        if (status == 0 and library.exists() and not library.stat().st_size) or (
            status not in (0, None) and any(words in log.read_bytes() for words in _FULL)
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        os.replace(text, folder / text.name)
        if status != 0 or not library.exists():
            os.replace(log, folder / log.name)
            _state.hung = status is None
            fault = f"did not finish in {_timeout():g} s" if status is None else f"failed (exit status {status})"
            _tell(
                "hung" if status is None else "failed",
                f"the C compiler {command[0]} {fault}, so the plain definition runs; see {folder / log.name}",
            )
            return None
        library.chmod(0o600)
        checksum.write_bytes(_checksum(library.read_bytes()))
        os.replace(library, folder / library.name)
        os.replace(checksum, folder / checksum.name)
    finally:
        shutil.rmtree(build, ignore_errors=True)
    _trim(folder)
    try:
        return ctypes.CDLL(str(folder / library.name))
    except OSError as error:
        _tell("load", f"a compiled kernel cannot be loaded ({error}), so the plain definition runs")
        return None


def _trim(folder: Path) -> None:
    """Remove the entries that were not used for longest where the cache has grown too large, and what was left half-way."""
    files: dict[str, list[os.DirEntry[str]]] = {}
    sizes: dict[str, int] = {}
    used: dict[str, float] = {}
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for file in found:
            info = file.stat(follow_symlinks=False)
            if file.name.startswith(".build-"):
                if time.time() - info.st_mtime > _DAY:
                    shutil.rmtree(file.path, ignore_errors=True)
            elif file.is_file(follow_symlinks=False):
                entry = file.name.rpartition(".")[0]
                files.setdefault(entry, []).append(file)
                sizes[entry] = sizes.get(entry, 0) + info.st_size
                used[entry] = max(used.get(entry, 0.0), info.st_mtime)
    total = sum(sizes.values())
    if total > _CACHE_BYTES:
        for entry in sorted(used, key=used.__getitem__):
            for file in files[entry]:
                with contextlib.suppress(OSError):
                    os.unlink(file.path)
            total -= sizes[entry]
            if total <= _CACHE_BYTES * 3 // 4:
                break
