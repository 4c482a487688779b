"""Write `cupy/names.txt`: which names a real CuPy has, and the parameters of its functions. Facts only, no code.

Run with a real CuPy installed (no GPU needed), when the version of CuPy that gpugrad is tested against changes:

    python -P tests/standin/record_names.py

(-P keeps this folder, and with it the stand-in, off `sys.path`.) The stand-in offers a NumPy function only if its name
stands in this file, and binds the arguments of a call to the parameters recorded here before NumPy sees them, so
`cupy.sum(x, where=m)` fails on a CPU as it fails on a GPU.
"""

import inspect
import pathlib

import cupy
import cupy.fft
import cupy.linalg
import cupy.random
import cupyx.scipy.special

MARKS = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def parameters(function):
    """`a axis= * out=`: a trailing `=` marks a parameter with a default; `/` and `*` stand as in Python."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some Cython functions carry no signature
        return "?"
    words, previous = [], None
    for parameter in signature.parameters.values():
        if previous is parameter.POSITIONAL_ONLY and parameter.kind is not previous:
            words.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and previous not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            words.append("*")
        default = "" if parameter.default is parameter.empty else "="
        words.append(MARKS.get(parameter.kind, "") + parameter.name + default)
        previous = parameter.kind
    if previous is inspect.Parameter.POSITIONAL_ONLY:
        words.append("/")
    return " ".join(words)


def lines(module, prefix):
    """One line per public name of a module: its kind, its dotted name and, for functions, its parameters.

    Of the ufuncs of cupyx, whose loops are not NumPy's, the types as well.
    """
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(value) or name == "annotations":
            continue
        if type(value).__name__ in ("ufunc", "_GUFunc"):
            loops = value.types if prefix.startswith("cupyx.") else ()
            yield " ".join((f"ufunc {prefix}{name}", *loops))
        elif isinstance(value, type) or not callable(value):
            yield f"value {prefix}{name}"
        else:
            yield f"function {prefix}{name} {parameters(value)}"


def main():
    """Write the file next to the stand-in."""
    records = [f"# cupy {cupy.__version__}, written by tests/standin/record_names.py"]
    records += lines(cupy, "")
    for module in (cupy.linalg, cupy.fft, cupy.random):
        records += lines(module, module.__name__.removeprefix("cupy.") + ".")
    records += lines(cupyx.scipy.special, "cupyx.scipy.special.")
    records += [f"method {name}" for name in dir(cupy.ndarray) if not name.startswith("_")]
    target = pathlib.Path(__file__).parent / "cupy" / "names.txt"
    target.write_text("\n".join(records) + "\n")


if __name__ == "__main__":
    main()
