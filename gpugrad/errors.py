"""Every exception and warning that gpugrad raises on purpose.

::

    Exception
     └── GpugradError                 catches all of them
          ├── ShapeError              (ValueError)    shapes that do not fit each other or the op
          │    └── AxisError          (IndexError)    an axis that the array does not have
          ├── OptionError             (ValueError)    an option that is unknown, out of range, or cannot be met
          ├── LinAlgError             (numpy.linalg.LinAlgError)  a matrix that is singular, or not positive definite
          ├── DTypeError              (TypeError)     a dtype or a type that the op cannot take
          │    └── UnsupportedOperandError            an operand that is no array and no number
          ├── DeviceError             (RuntimeError)  unknown, absent or mixed devices
          ├── OutOfMemoryError        (MemoryError)   a GPU has not the memory that was asked for
          ├── LibraryError            (RuntimeError)  a library of NVIDIA's reports that it failed
          ├── DeterminismError        (RuntimeError)  an op that a GPU computes differently in each run, where that was forbidden
          ├── IndexingError           (IndexError)    an index out of range, or of the wrong kind
          ├── ConversionError         (TypeError)     a conversion that would lose a gradient, or leave the GPU
          ├── GraphError              (RuntimeError)  backward through something that cannot be differentiated
          │    └── InplaceError                       an in-place update that would corrupt a gradient
          ├── RuleError               (ValueError)    a gradient rule that returns the wrong count, shape or type
          ├── TracingError            (TypeError)     a function that gg.fuse cannot trace
          │    └── UntraceableError                   only its kernels are out of reach: the function itself runs
          ├── AnomalyError            (ArithmeticError)  debug mode found the first nan or inf
          └── FileFormatError         (ValueError)    a weights file that is truncated, foreign or does not fit
    UserWarning
     └── DetachedWarning              a recording Tensor was turned into a Python number

Each also derives from the built-in exception that NumPy or PyTorch users would expect, so existing ``except`` clauses work.
"""

import numpy


class GpugradError(Exception):
    """Base class of every exception that gpugrad raises on purpose.

    `place`, of an error that has left the call of a layer, says which one (see ``nn/location.py``); so does the text then.
    """

    place: object = None


class ShapeError(GpugradError, ValueError):
    """Shapes do not fit each other, or do not fit the op."""


class AxisError(ShapeError, IndexError):
    """An axis is out of range. An IndexError too, as in NumPy: the standard asks for one."""


class OptionError(GpugradError, ValueError):
    """An option has a value that the function does not know, that is out of range, or that cannot be met for what it is given."""


class LinAlgError(GpugradError, numpy.linalg.LinAlgError):
    """A matrix is singular or not positive definite, or an iteration for it did not converge. A ValueError, as NumPy's is."""


class DTypeError(GpugradError, TypeError):
    """A dtype, or the type of an argument, is not one that the op takes."""


class UnsupportedOperandError(DTypeError):
    """An operand is of a type that no op takes. Operators turn it into NotImplemented, so that the other side may try."""


class DeviceError(GpugradError, RuntimeError):
    """A device is unknown, absent, or not the one where the other arrays are."""


class DeterminismError(GpugradError, RuntimeError):
    """A GPU computes an op differently in each run, and ``use_deterministic_algorithms(True)`` forbids that."""


class OutOfMemoryError(GpugradError, MemoryError):
    """A GPU has not the memory that was asked for. What was computed before is as it was: less may still be computed.

    `op` names the op that asked, where it was one.
    """

    op = ""

    def __str__(self) -> str:
        return f"{self.op}: {super().__str__()}" if self.op and self.place is None else super().__str__()


class LibraryError(GpugradError, RuntimeError):
    """A library of NVIDIA's, such as cuBLAS, reports that it failed."""


class IndexingError(GpugradError, IndexError):
    """An index is out of range, or of a kind that cannot index."""


class ConversionError(GpugradError, TypeError):
    """An implicit conversion would lose a gradient or copy from the GPU behind the user's back."""


class GraphError(GpugradError, RuntimeError):
    """There is no graph to differentiate, or it has been freed."""


class InplaceError(GraphError):
    """An in-place update would corrupt a gradient."""


class RuleError(GpugradError, ValueError):
    """A gradient rule returned the wrong number, shape or type of gradients."""


class TracingError(GpugradError, TypeError):
    """A traced function asked for the elements of an array, which it does not have yet, or for an array that is no argument."""


class UntraceableError(TracingError):
    """There is no kernel for what a function does, a complex dtype for instance. Its definition runs instead."""


class AnomalyError(GpugradError, ArithmeticError):
    """Debug mode found the first nan or inf."""


class FileFormatError(GpugradError, ValueError):
    """A file of weights is truncated, foreign, or does not fit the model."""


class DetachedWarning(UserWarning):
    """A Tensor that records became a Python number, which has no gradient."""
