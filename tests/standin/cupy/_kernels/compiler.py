"""C++ source to a loaded shared library, cached by content in the temporary directory."""

import ctypes
import functools
import getpass
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HEADER = pathlib.Path(__file__).with_name("cuda_on_cpu.h")
FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ffp-contract=off")

# Threads run one after another here, so what makes threads wait for or talk to each other cannot work.
UNSUPPORTED = re.compile(
    r"__sync\w+|__shfl\w*|__ballot\w*|cooperative_groups|extern\s+__shared__|nvcuda|asm\s*(volatile)?\s*\("
)


class CompilerMissing(RuntimeError):
    """There is no g++: tests turn this into a skip."""


class CompileException(Exception):
    """g++ rejected the source, as NVRTC would (cupy.cuda.compiler.CompileException)."""


def check_supported(source):
    """Refuse what the pretend threads cannot do, before g++ gives a puzzling answer."""
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    found = UNSUPPORTED.search(code)
    if found:
        raise NotImplementedError(f"the cupy stand-in runs threads one after another: no {found.group(0)!r}")


def _folder():
    folder = pathlib.Path(tempfile.gettempdir()) / f"gpugrad-standin-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@functools.cache
def load(source, definitions=()):
    """The library made from `source`, with the header that plays CUDA in front of it."""
    check_supported(source)
    text = HEADER.read_text() + "\n" + source
    key = hashlib.sha256(repr((text, FLAGS, definitions)).encode()).hexdigest()[:24]
    library = _folder() / f"{key}.so"
    if not library.exists():
        compiler = shutil.which("g++")
        if compiler is None:
            raise CompilerMissing("the cupy stand-in needs g++ to run kernels, and there is none on PATH")
        unfinished = library.with_suffix(f".{os.getpid()}.so")
        command = [compiler, *FLAGS, *definitions, "-x", "c++", "-", "-o", str(unfinished)]
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode:
            raise CompileException(f"{done.stderr}\n--- source ---\n{source}")
        unfinished.replace(library)  # atomic: other processes compile the same kernels
    return ctypes.CDLL(str(library))


def definitions(options):
    """The -D and -I options among NVRTC's; the others steer only NVRTC."""
    return tuple(o for o in options if o.startswith(("-D", "-I", "--define-macro=", "--include-path=")))
