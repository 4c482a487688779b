"""Write `signatures.txt`: run it where the real nvidia-cudnn-frontend is installed (it needs neither a GPU nor cuDNN itself).

    python tests/standin/cudnn/record_signatures.py

The methods are compiled, and say their signatures in their docstrings only.
"""

import inspect
import pathlib
import re
import sys

NAMES = ["pygraph", "tensor", "conv_fprop", "conv_dgrad", "conv_wgrad", "sdpa", "sdpa_backward", "execute"]


def signatures(cudnn):
    """A line for each method: its parameters in order, with = after those that have a default."""
    yield f"# nvidia-cudnn-frontend {cudnn.__version__}"
    for name in NAMES:
        function = cudnn.pygraph.__init__ if name == "pygraph" else getattr(cudnn.pygraph, name)
        if inspect.isfunction(function):
            parameters = [p.name + "=" * (p.default is not p.empty) for p in inspect.signature(function).parameters.values()]
        else:
            # The first overload: "name: type = default, ..." behind "self: ...".
            text = (
                next(line for line in function.__doc__.splitlines() if "(self: " in line)
                .partition("(self: ")[2]
                .rpartition(") -> ")[0]
            )
            parameters = ["self", *(n + "=" * d for n, d in _split(text))]
        yield f"{name}: {' '.join(parameters[1:])}"


def _split(text):
    """Names, and whether a default follows, at the commas outside of brackets."""
    text = re.sub(r"<[^<>]*>", "default", text)
    depth, parts = 0, [""]
    for c in text:
        depth += (c in "[(") - (c in "])")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    for part in parts[1:]:
        yield part.partition(":")[0].strip(), " = " in part


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != here]
    import cudnn

    (here / "signatures.txt").write_text("\n".join(signatures(cudnn)) + "\n")
