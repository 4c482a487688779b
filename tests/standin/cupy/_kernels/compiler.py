"""C++ source to a loaded shared library, cached by content in the temporary directory.

Where NVIDIA's runtime compiler is installed (see tests/nvrtc.py), it compiles every source of a RawModule or RawKernel too, once: so
each kernel that a test runs here is known to compile for GPUs. A source that asks for the architecture is compiled for all of them,
any other for one, which its hash chooses: all get their share of the thousands. GPUGRAD_TEST_NVRTC=4 does that with every fourth source
alone, by its hash, and GPUGRAD_TEST_NVRTC=0 with none.
"""

import ctypes
import functools
import getpass
import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
NVRTC = HERE.parents[2] / "nvrtc.py"
THREADS = HERE / "cuda" / "threads.cpp"
# What a source may include is in `include`; -nostdinc because NVRTC has no headers of the C++ library either.
FLAGS = (
    "-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti",
    "-fno-asynchronous-unwind-tables", "-fno-threadsafe-statics", "-fno-strict-aliasing", "-fvisibility=hidden", "-nostdlib",
    f"-I{HERE / 'cuda'}", f"-I{HERE / 'include'}",
)  # fmt: skip
# What a GPU refuses or computes differently, and what would end the process here. threads.cpp turns it into an error.
CHECKS = ("-fsanitize=alignment,bounds,integer-divide-by-zero", "-fno-sanitize-recover=all")
RAW = ("cuda_on_cpu.h",)  # what is put before a source that its author wrote whole
LIBRARIES = ("-lm", "-lc", "-lgcc")

UNSUPPORTED = re.compile(r"cooperative_groups|nvcuda|\basm\s*(volatile)?\s*\(|\b__asm__\b")
DYNAMIC_SHARED = re.compile(
    r"extern\s+(?:(?:__align__|alignas)\s*\([^)]*\)\s*)?__shared__\s+(?:(?:__align__|alignas)\s*\([^)]*\)\s*)?"
    r"([\w:\s]+?)\s*\b(\w+)\s*\[\s*\]\s*;"
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class CompilerMissing(RuntimeError):
    """There is no g++: tests turn this into a skip."""


class CompileException(Exception):
    """g++ rejected the source, as NVRTC would (cupy.cuda.compiler.CompileException)."""


class KernelError(RuntimeError):
    """A kernel did what a GPU does not allow: threads that wait for ever, a misaligned access, an index out of range."""


def check_supported(source):
    """Refuse what the pretend threads cannot do, before g++ gives a puzzling answer."""
    found = UNSUPPORTED.search(COMMENT.sub("", source))
    if found:
        raise NotImplementedError(f"the cupy stand-in runs kernels on the CPU: no {found.group(0)!r}")


def _dynamic_shared(match):
    """`extern __shared__ T name[];` as a pointer to the one array that all such names stand for."""
    kind, name = match.groups()
    return f"{kind}* const {name} = ({kind}*)standin_dynamic_shared;" + "\n" * match.group(0).count("\n")


@functools.cache
def _folder():
    folder = pathlib.Path(tempfile.gettempdir()) / f"gpugrad-standin-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _build(text, flags, libraries=()):
    """The path of the library made from C++ source."""
    key = hashlib.sha256(repr((text, flags, _headers())).encode()).hexdigest()[:24]
    library = _folder() / f"{key}.so"
    if not library.exists():
        compiler = shutil.which("g++")
        if compiler is None:
            raise CompilerMissing("the cupy stand-in needs g++ to run kernels, and there is none on PATH")
        unfinished = library.with_suffix(f".{os.getpid()}-{threading.get_ident()}.so")
        command = [compiler, *flags, "-x", "c++", "-", "-o", str(unfinished), *libraries]
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode:
            raise CompileException(f"{done.stderr}\n--- source ---\n{text}")
        unfinished.replace(library)  # atomic: other processes compile the same kernels
    return library


@functools.cache
def _headers():
    """What every kernel depends on beside its source."""
    files = sorted([*HERE.glob("cuda/*"), *HERE.glob("include/*")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@functools.cache
def threads():
    """The library that runs threads, whose functions all kernels find."""
    path = _build(THREADS.read_text(), ("-std=c++17", "-O2", "-shared", "-fPIC"))
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


@functools.cache
def _nvrtc():
    """The module tests/nvrtc.py, or None where it cannot compile. By its path: not every process that runs kernels has tests/ in sys.path."""
    module = sys.modules.get("nvrtc")
    if module is None:
        spec = importlib.util.spec_from_file_location("nvrtc", NVRTC)
        module = sys.modules["nvrtc"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module if module.available() else None


@functools.cache
def _check_by_nvrtc(source, definitions):
    """Raise nvrtc.CompileError if NVRTC refuses the source for an architecture it is compiled for. A source that it took is not compiled again.

    CuPy passes -std=c++17 unless told otherwise, the headers of the CUDA toolkit, and the options of the module, of which only macros
    matter here. Sources with other headers are not checked: those of tests of the stand-in alone.
    """
    if any(o.startswith(("-I", "--include-path=")) for o in definitions):
        return
    key = hashlib.sha256(repr((source, definitions, NVRTC.read_bytes())).encode()).hexdigest()[:24]
    if int(key, 16) // 3 % int(os.environ.get("GPUGRAD_TEST_NVRTC", "1")):
        return
    taken = _folder() / f"{key}.nvrtc"
    if taken.exists():
        return
    nvrtc = _nvrtc()
    if nvrtc is None:
        return
    macros = [o.removeprefix("--define-macro=").removeprefix("-D").strip().partition("=") for o in definitions]
    lines = [f"#define {name} {value if equals else 1}" for name, equals, value in macros]
    every = nvrtc.ARCHITECTURES
    for architecture in every if "__CUDA_ARCH__" in source else every[int(key, 16) % len(every) :][:1]:
        nvrtc.compile_cuda("\n".join([*lines, '#line 1 "kernel.cu"', source] if lines else [source]), architecture)
    taken.touch()


@functools.cache
def load(source, tail="", definitions=(), headers=RAW):
    """The library made from `source`, as if in a file kernel.cu, and from `tail`, which exports what is called.

    `source` stands in an unnamed namespace: what no kernel uses costs nothing, and shared variables in templates can be
    placed in a section. ctypes.PyDLL holds the interpreter's lock, so one kernel runs at a time, as it must: shared
    variables and the threads' state exist once.
    """
    check_supported(source)
    threads()
    flags = (*FLAGS, *CHECKS, *definitions)
    cpp = "complex" in source
    text = "\n".join([
        *(["#define STANDIN_CPP"] if cpp else []),
        *(f'#include "{header}"' for header in headers),
        "namespace {",
        '#line 1 "kernel.cu"',
        DYNAMIC_SHARED.sub(_dynamic_shared, source),
        "}",
        tail,
    ])  # fmt: skip
    library = _build(text, flags if cpp else (*flags, "-nostdinc"), LIBRARIES)
    if headers == RAW and os.environ.get("GPUGRAD_TEST_NVRTC") != "0":
        _check_by_nvrtc(source, definitions)
    return ctypes.PyDLL(str(library))


def check(code):
    """Raise what the last launch reported."""
    if code == -2:
        message = (ctypes.c_char * 2048).in_dll(threads(), "standin_error").value
        raise KernelError(message.decode())


def order():
    """In which order threads run: 0 forward, 1 backward, another number shuffled from that seed.

    From the environment variable GPUGRAD_STANDIN_ORDER: "forward" (the default), "backward" or a number. A kernel that lacks
    a barrier may give the right result in one order.
    """
    value = os.environ.get("GPUGRAD_STANDIN_ORDER", "forward")
    return {"forward": 0, "backward": 1}[value] if not value.isdigit() else int(value) + 2


def definitions(options):
    """The -D and -I options among NVRTC's; the others steer only NVRTC."""
    return tuple(o for o in options if o.startswith(("-D", "-I", "--define-macro=", "--include-path=")))
