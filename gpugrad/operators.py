"""The methods of an array class, written once and attached to Tensor when gpugrad is imported.

Operators accept Python and NumPy numbers, arrays and Tensors. In-place forms (``x[i] = v``, ``x += v``) rebind the Tensor to a
new array and a new node, so neither what was recorded nor an array that somebody else holds ever changes.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numpy

from gpugrad.arrays import dlpack
from gpugrad.arrays.devices import CPU, DeviceLike, device_of, gpu, on, to_numpy
from gpugrad.arrays.dtypes import DType, DTypeLike, numpy_dtype
from gpugrad.arrays.pinned import is_pinned, pin
from gpugrad.arrays.streams import Stream, record_stream
from gpugrad.debug import caller
from gpugrad.differentiate import backward as _backward
from gpugrad.errors import (
    ConversionError,
    DetachedWarning,
    DeviceError,
    DTypeError,
    GraphError,
    InplaceError,
    OptionError,
    ShapeError,
    UnsupportedOperandError,
)  # fmt: skip
from gpugrad.families import Binary
from gpugrad.modes import is_grad_enabled
from gpugrad.ops import (
    aliasing,
    contraction,
    conversion,
    dtypes,
    elementwise,
    indexing,
    reduction,
    searching,
    shape,
    transfer,
    views,
)
from gpugrad.pytorch_names import OF_TENSORS, absent
from gpugrad.tape import Leaf, Tensor, alias, raw, require_grad

Axes = int | tuple[int, ...] | None
P = ParamSpec("P")
R = TypeVar("R")

_next_hook = count().__next__


def _leave_to(op: Binary, other: Any) -> Any:
    """NotImplemented, so that the other operand may try; called in an except block, which it raises again for ``x * [1, 2]``.

    Python would take that for the repetition of the list, with x as the count.
    """
    if op is elementwise.multiply and isinstance(other, (list, tuple, str, bytes)):
        raise
    return NotImplemented


def _left(op: Binary) -> Callable[[Any, Any], Tensor]:
    """``self op other``; NotImplemented for what no op takes, so that the other side may try."""

    def operator(self: Any, other: Any, /) -> Any:
        try:
            return op(self, other)
        except UnsupportedOperandError:
            return _leave_to(op, other)

    return operator


def _right(op: Binary) -> Callable[[Any, Any], Tensor]:
    """``other op self``."""

    def operator(self: Any, other: Any, /) -> Any:
        try:
            return op(other, self)
        except UnsupportedOperandError:
            return _leave_to(op, other)

    return operator


def _in_place(op: Binary, symbol: str) -> Callable[[Any, Any], Tensor]:
    """``self op= other``: self is rebound to the result, in its own dtype if that is of the same kind, as in NumPy."""

    def operator(self: Any, other: Any, /) -> Tensor:
        _refuse_leaf(self, symbol)
        try:
            out = op(self, other)
        except UnsupportedOperandError:
            return _leave_to(op, other)
        if tuple(out.array.shape) != tuple(self.array.shape):
            raise ShapeError(
                f"{symbol}: the result has shape {tuple(out.array.shape)}, and the tensor {tuple(self.array.shape)} cannot change its own"
            )
        if out.array.dtype != self.array.dtype:
            if not numpy.can_cast(out.dtype, self.dtype, "same_kind"):
                raise DTypeError(
                    f"{symbol}: the result has dtype {out.array.dtype}, and the tensor of {self.array.dtype} cannot change its own"
                )
            out = dtypes.astype(out, self.dtype)
        return _assign(self, out, symbol)

    return operator


def _assign(x: Tensor, out: Tensor, what: str) -> Tensor:
    """Give x the values of `out`, and so what x is a view of and its other views. All change or, if that is a leaf that records, none."""
    aliasing.note(x)
    if not x.aliases:
        return _rebind(x, out)
    root = aliasing.root_of(x)
    values, changed = out, [(x, out)]
    if root is not x:
        _refuse_leaf(root, f"{what} of a view")
        values = aliasing.put_into_root(x, out)
        # In the memory of the root, for what is a view of x depends on how its elements lie there.
        changed = [(root, values), (x, Tensor(aliasing.taken(x, values.array), out.node))]
    if root is x or type(x.node) is not Leaf:
        changed += aliasing.taken_anew(root, Tensor(values.array, values.node), x)
    for tensor, anew in changed:
        _rebind(tensor, anew)
    return x


def _refuse_leaf(x: Tensor, what: str) -> None:
    if type(x.node) is Leaf and is_grad_enabled():
        raise InplaceError(
            f"{what}: this tensor is a leaf that requires a gradient, so it cannot be changed while recording; "
            "do it inside gg.no_grad(), or on a result computed from it"
        )


def _rebind(x: Tensor, out: Tensor) -> Tensor:
    x.array = out.array
    if is_grad_enabled():
        x.node = out.node
    elif type(x.node) is Leaf:
        x.node.mark_changed()  # it stays a leaf: an optimizer's step by hand
    return x


def _holders(x: Tensor) -> int:
    """How many references there are to the array of `x`, these included."""
    return sys.getrefcount(x.array)


_ALONE = _holders(Tensor(numpy.empty(1)))


def _unshared(x: Tensor) -> bool:
    """Whether nobody but `x` holds its array or a view of it, so that writing into it changes nothing else.

    Views hold a reference to their base, and the tape to its residuals, so the reference count tells.
    """
    array = x.array
    if not hasattr(array, "flags") or getattr(array, "base", array) is not None:
        return False
    del array
    return _holders(x) == _ALONE and getattr(x.array.flags, "writeable", True)


_OF_NUMPY = ("out", "dtype")  # what NumPy's functions pass to the methods that they call, None by default
_OTHER_NAMES = {"dim": "axis", "keepdim": "keepdims"}


def _reduction(method: Callable[P, R]) -> Callable[P, R]:
    """A method that NumPy's functions may call, as ``np.sum(tensor)`` does, and that knows PyTorch's names for its arguments."""
    function = cast("FunctionType", method)
    name, accepted = function.__name__, frozenset(function.__code__.co_varnames)

    def reconciled(options: dict[str, Any]) -> dict[str, Any]:
        given = {}
        for key, value in options.items():
            if key in _OTHER_NAMES:
                raise TypeError(f"{name}: got {key}=, expected {_OTHER_NAMES[key]}=, its name in the standard and in NumPy")
            if key not in _OF_NUMPY or key in accepted:
                given["correction" if key == "ddof" and "correction" in accepted else key] = value
            elif value is not None:
                raise TypeError(f"{name}: {key}= is not supported; see gg.{name}")
        return given

    @functools.wraps(method)
    def reduction_method(*args: Any, **options: Any) -> Any:
        return function(*args, **(options if options.keys() <= accepted else reconciled(options)))

    return cast("Callable[P, R]", reduction_method)


class RemovableHandle:
    """What ``register_hook`` returns: ``remove()`` takes the hook away again, and so does the end of a ``with`` block."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self._hooks = hooks
        self._key = _next_hook()

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class _Absent:
    """In the place of a name of PyTorch that Tensors lack: the AttributeError, and help(), say what to write.

    One for each name, since with a ``__getattr__`` Python 3.11 takes four times as long to read any attribute of a Tensor.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.__doc__ = f"Not here: for PyTorch's {name} write {OF_TENSORS[name]}."

    def __get__(self, instance: Any, owner: type) -> Any:
        raise absent(f"{owner.__name__!r} object", self.name, OF_TENSORS)

    def __set__(self, instance: Any, value: Any) -> None:
        raise absent(f"{type(instance).__name__!r} object", self.name, OF_TENSORS)


class Operators:
    """Attributes, operators and methods of a Tensor."""

    __slots__ = ()

    array: Any
    node: Any

    # NumPy's operators leave the work to ours. CuPy's do so only if this is None: a function here, with which NumPy could name
    # gg.sin when it is asked for np.sin(tensor), would break ``cupy_array + tensor``.
    __array_ufunc__ = None
    __array_priority__ = 1000.0

    # Attributes ------------------------------------------------------------------------------------------------------

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name not in OF_TENSORS]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes along each axis."""
        shape: tuple[int, ...] = self.array.shape
        return shape

    @property
    def dtype(self) -> DType:
        """The NumPy dtype, on every backend."""
        return numpy_dtype(self.array.dtype)

    @property
    def device(self) -> Any:
        """Where the array is: ``gg.device("cpu")``, ``gg.device("cuda:0")``; another library's device object for its arrays."""
        return device_of(self.array)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.array.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.array.shape)

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix. Raises ShapeError unless there are two axes; for batches of matrices there is mT."""
        if len(self.array.shape) != 2:
            raise ShapeError(
                f"T: got shape {tuple(self.array.shape)}, expected two axes; use .mT for stacks of matrices, or permute_dims"
            )
        return shape.matrix_transpose(cast("Tensor", self))

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return shape.matrix_transpose(cast("Tensor", self))

    @property
    def real(self) -> Tensor:
        """The real part."""
        return elementwise.real(cast("Tensor", self))

    @property
    def imag(self) -> Tensor:
        """The imaginary part."""
        return elementwise.imag(cast("Tensor", self))

    # Gradients -------------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether this tensor records: what is computed from it can be differentiated."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Record from here on (or no longer), as a leaf. Returns self.

        Raises DTypeError for integers and booleans, GraphError to stop a result from recording (detach it instead).
        """
        if requires_grad and self.node is None:
            self.node = require_grad(self.array)
        elif not requires_grad and self.node is not None:
            if not self.is_leaf:
                raise GraphError(
                    "requires_grad_(False): this tensor is a result, not a leaf; use .detach() to get a constant of it"
                )
            self.node = None
        return cast("Tensor", self)

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by the user rather than by a recorded op."""
        return self.node is None or type(self.node) is Leaf

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward has accumulated in a leaf; None before, and for results."""
        return self.node.grad if type(self.node) is Leaf else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if type(self.node) is not Leaf:
            if value is not None:
                raise GraphError("grad: only a leaf that requires a gradient can hold one; call requires_grad_() first")
            return
        if value is not None:
            if not isinstance(value, Tensor) or tuple(value.array.shape) != tuple(self.array.shape):
                got = f"shape {tuple(value.array.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise ShapeError(f"grad: got {got}, expected a Tensor of shape {tuple(self.array.shape)}")
            if value.array.dtype != self.array.dtype:
                raise DTypeError(f"grad: got dtype {value.array.dtype}, expected that of the tensor, {self.array.dtype}")
            if value.device != self.device:
                raise DeviceError(
                    f"grad: got a Tensor on {value.device}, expected one on {self.device}, as the tensor; move it with .to"
                )
        self.node.grad = value

    def backward(self: Any, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Add the gradient of this tensor to the ``.grad`` of every leaf that it was computed from.

        See :func:`gpugrad.backward`.
        """
        _backward(self, gradient, retain_graph=retain_graph, create_graph=create_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(gradient)`` when the whole gradient of this tensor is known; what it returns, if anything, replaces it.

        Raises GraphError if this tensor does not record.
        """
        if self.node is None:
            raise GraphError(
                "register_hook: this tensor does not record, so it never gets a gradient; call requires_grad_() first"
            )
        if self.node.hooks is None:
            self.node.hooks = {}
        handle = RemovableHandle(self.node.hooks)
        self.node.hooks[handle._key] = hook
        return handle

    def detach(self) -> Tensor:
        """A constant with the same array: the gradient stops here."""
        return Tensor(self.array)

    def clone(self) -> Tensor:
        """A copy; the gradient passes."""
        return transfer.copy(cast("Tensor", self))

    copy = clone

    # Conversion ------------------------------------------------------------------------------------------------------

    def numpy(self) -> Any:
        """The numpy.ndarray, sharing memory; only of a constant on the CPU: ``x.detach().cpu().numpy()`` does for all.

        Raises ConversionError if this tensor records or is on a GPU.
        """
        return _as_numpy(cast("Tensor", self), "numpy()")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = _as_numpy(cast("Tensor", self), "conversion to NumPy")
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise OptionError(f"conversion to NumPy: copy=False, but from {array.dtype} to {dtype} needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        namespace = sys.modules["gpugrad"]  # which imports this module, so it cannot be imported here
        if api_version is not None and api_version not in namespace.SUPPORTED_API_VERSIONS:
            raise OptionError(
                f"API version {api_version!r} is not supported, only {', '.join(namespace.SUPPORTED_API_VERSIONS)}"
            )
        return namespace

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if self.node is not None:
            raise ConversionError(
                f"__dlpack__ at {caller()}: this tensor records, and its gradient would be lost; use .detach()"
            )
        return dlpack.export(self.array, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.device_number(self.array)

    def item(self) -> Any:
        """The one element as a Python number. Waits for the GPU. Raises ShapeError for any other number of elements."""
        if math.prod(self.array.shape) != 1:
            raise ShapeError(f"item: got shape {tuple(self.array.shape)}, expected one element")
        return self.array.item() if hasattr(self.array, "item") else to_numpy(self.array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers. Waits for the GPU."""
        return to_numpy(self.array).tolist()

    def __bool__(self) -> bool:
        return bool(_scalar(self, "bool"))

    def __float__(self) -> float:
        number = _scalar(self, "float")
        _warn_detached(self, "float")
        return float(number)

    def __complex__(self) -> complex:
        number = _scalar(self, "complex")
        _warn_detached(self, "complex")
        return complex(number)

    def __int__(self) -> int:
        return int(_scalar(self, "int"))

    def __index__(self) -> int:
        value = _scalar(self, "index")
        if not isinstance(value, int) or isinstance(value, bool):
            raise DTypeError(f"index: got dtype {self.dtype}, expected an integer tensor")
        return value

    def __len__(self) -> int:
        if not self.array.shape:
            raise DTypeError("len: a 0-d tensor has no length")
        return cast("int", self.array.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.shape:
            raise DTypeError("iteration over a 0-d tensor")
        return self._rows()

    def _rows(self) -> Iterator[Tensor]:
        array = self.array
        for i, row in enumerate(shape.unstack(cast("Tensor", self))):
            if self.array is array:
                if row.array.shape:
                    alias(row, cast("Tensor", self), i)
                yield row
            else:  # the loop has written into it
                yield self[i]

    def __contains__(self, value: Any) -> bool:
        return bool(reduction.any(elementwise.equal(cast("Tensor", self), value)))

    def __repr__(self) -> str:
        values = numpy.array2string(to_numpy(self.array), separator=", ", prefix=type(self).__name__ + "(")
        if self.ndim > 1 and not self.size:
            values += f", shape={tuple(self.array.shape)}"  # which the brackets do not tell
        records = ""
        if isinstance(self.node, Leaf):
            records = ", requires_grad=True"
        elif self.node is not None:
            edges = self.node.edges or ()
            name = edges[0][1].op if edges else getattr(getattr(self.node, "source", None), "name", "a freed graph")
            records = f", recorded by {name}"
        return f"{type(self).__name__}({values}, dtype={self.dtype}, device='{self.device}'{records})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if self.size != 1:
            raise DTypeError(f"format: got shape {tuple(self.array.shape)}, expected one element for the format {spec!r}")
        return format(self.item(), spec)

    # Hashing, pickling, copying --------------------------------------------------------------------------------------

    def __hash__(self) -> int:
        return id(self) >> 4

    def __reduce_ex__(self, protocol: Any) -> Any:
        _only_leaf(self, "pickle")
        device = str(self.device)
        return _unpickle, (
            type(self),
            to_numpy(self.array),
            device if device.startswith("cuda") else "cpu",
            self.node is not None,
        )

    def __copy__(self) -> Tensor:
        return type(cast("Tensor", self))(self.array, self.node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Of a leaf a leaf of its own, as in PyTorch; of a result a copy through which the gradient passes."""
        out: Tensor
        if not self.is_leaf:
            out = memo[id(self)] = transfer.copy(cast("Tensor", self))
            return out
        array = transfer.copy(self.array)
        out = type(cast("Tensor", self))(array)
        if self.node is not None:
            out.node = Leaf(array.shape, array.dtype)
            if self.node.grad is not None:
                out.node.grad = Tensor(transfer.copy(self.node.grad.array))
        memo[id(self)] = out
        return out

    # Devices and dtypes ----------------------------------------------------------------------------------------------

    def to(
        self,
        *where: Any,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        non_blocking: bool = False,
        copy: bool = False,
    ) -> Tensor:
        """This tensor with another device, another dtype, both, or those of another Tensor; itself if nothing changes and no `copy`.

        ``x.to("cuda")``, ``x.to(gg.float64)``, ``x.to("cuda:1", gg.float16)``, ``x.to(other)``. The gradient travels back.
        `non_blocking` copies from a GPU in the background, to be read after ``gg.cuda.synchronize()``, and likewise from pinned memory
        to a GPU; from other memory nothing ever waits for the copy. See :func:`gpugrad.to_device`.
        Raises DeviceError for an unknown or absent device, DTypeError for anything that is neither.
        """
        out, (place, dtype) = cast("Tensor", self), transfer.destination("to", where, device, dtype)
        if dtype is not None:
            out = dtypes.astype(out, dtype, copy=False)
        if place is not None:
            out = transfer.to_device(out, place, non_blocking=non_blocking)
        return transfer.copy(out) if copy and out.array is self.array else out

    def to_device(self, device: DeviceLike, /, *, stream: Any = None) -> Tensor:
        """This tensor on another device, as the standard spells it; copies run on the current streams, and `stream` must be None.

        Raises DeviceError for an unknown or absent device, and for a `stream`.
        """
        if stream is not None:
            raise DeviceError(f"to_device: stream is {stream!r}, expected None; enter the stream with gg.cuda.stream instead")
        return transfer.to_device(cast("Tensor", self), device)

    def record_stream(self, stream: Stream) -> None:
        """Say that a stream uses this tensor's memory, which was allocated on another: see :func:`gpugrad.cuda.record_stream`."""
        record_stream(self, stream)

    def cpu(self) -> Tensor:
        """This tensor in the memory of the CPU."""
        return transfer.to_device(cast("Tensor", self), CPU)

    def cuda(self, device: int | DeviceLike | None = None, non_blocking: bool = False) -> Tensor:
        """This tensor on a GPU: the current one, or the one of this number or name."""
        return transfer.to_device(cast("Tensor", self), gpu(device), non_blocking=non_blocking)

    def pin_memory(self) -> Tensor:
        """A copy in pinned memory, from which ``.cuda(non_blocking=True)`` copies in the background; itself if it is there.

        Raises DeviceError without a GPU, and for a tensor that is not on the CPU; GraphError for one that records.
        """
        if self.node is not None:
            raise GraphError("pin_memory: this tensor records, and its gradient would be lost; use .detach().pin_memory()")
        if self.device != CPU:
            raise DeviceError(
                f"pin_memory: the tensor is on {self.device}, expected on cpu: only memory of the host can be pinned"
            )
        with on(gpu()):
            array = pin(to_numpy(self.array))
        return cast("Tensor", self) if array is self.array else Tensor(array)

    def is_pinned(self) -> bool:
        """Whether the array is in pinned memory."""
        return is_pinned(self.array)

    def astype(self, dtype: DTypeLike, /, *, copy: bool = True) -> Tensor:
        """This tensor in another dtype."""
        return dtypes.astype(cast("Tensor", self), dtype, copy=copy)

    def view(self, dtype: DTypeLike, /, *sizes: int) -> Tensor:
        """This tensor seen as the real numbers that make it up, or as the complex ones that they make up; with its own dtype, itself.

        As NumPy's ``x.view(dtype)``: the real and imaginary parts stand side by side on the last axis.
        Raises DTypeError for another dtype, and for sizes, which PyTorch's takes; ShapeError for a 0-d tensor or an odd number of reals.
        """
        if sizes or isinstance(dtype, (int, tuple, list)):
            given = (dtype, *sizes) if isinstance(dtype, int) else dtype
            raise DTypeError(f"view: got sizes, expected a dtype; write x.reshape({given})")
        return views.view(cast("Tensor", self), dtype)

    # Indexing --------------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Tensor:
        me = cast("Tensor", self)
        if type(key) is int or type(key) is slice:  # in haste: the common cases
            out = indexing.getitem(me, key)
            if out.array.shape:
                alias(out, me, key)
            return out
        key = indexing.raw_key(key)
        out = indexing.getitem(me, key)
        aliasing.remember(out, me, key)
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        _refuse_leaf(cast("Tensor", self), "x[...] = value")
        key = indexing.raw_key(key)
        me = cast("Tensor", self)
        if aliasing.is_written(value, me, key):
            return
        source = conversion.asarray(value) if isinstance(value, (list, tuple)) else value
        dtypes.refuse_complex("put", source, self.array.dtype)
        records = is_grad_enabled() and (self.node is not None or (isinstance(source, Tensor) and source.node is not None))
        if records or aliasing.is_aliased(me):
            _assign(me, indexing.put(me, source, key), "x[...] = value")
            return
        if _unshared(me) and (not isinstance(source, Tensor) or type(source.array) is type(self.array)):
            try:
                with on(self.device):  # CuPy writes on its current device
                    self.array[key] = raw(source)
            except (IndexError, TypeError, ValueError):
                indexing.put(me.array, raw(source), key)  # raises the same with a clear message
                raise
        else:
            self.array = indexing.put(self.array, raw(source), key)
        if type(self.node) is Leaf:
            self.node.mark_changed()

    # Operators -------------------------------------------------------------------------------------------------------

    __add__, __radd__, __iadd__ = _left(elementwise.add), _right(elementwise.add), _in_place(elementwise.add, "+=")
    __sub__, __rsub__, __isub__ = (
        _left(elementwise.subtract), _right(elementwise.subtract), _in_place(elementwise.subtract, "-="),
    )  # fmt: skip
    __mul__, __rmul__, __imul__ = (
        _left(elementwise.multiply), _right(elementwise.multiply), _in_place(elementwise.multiply, "*="),
    )  # fmt: skip
    __truediv__, __rtruediv__, __itruediv__ = (
        _left(elementwise.divide), _right(elementwise.divide), _in_place(elementwise.divide, "/="),
    )  # fmt: skip
    __floordiv__, __rfloordiv__, __ifloordiv__ = (
        _left(elementwise.floor_divide), _right(elementwise.floor_divide), _in_place(elementwise.floor_divide, "//="),
    )  # fmt: skip
    __mod__, __rmod__, __imod__ = (
        _left(elementwise.remainder), _right(elementwise.remainder), _in_place(elementwise.remainder, "%="),
    )  # fmt: skip
    __pow__, __rpow__, __ipow__ = _left(elementwise.pow), _right(elementwise.pow), _in_place(elementwise.pow, "**=")
    __matmul__, __rmatmul__, __imatmul__ = (
        _left(contraction.matmul), _right(contraction.matmul), _in_place(contraction.matmul, "@="),
    )  # fmt: skip
    __and__, __rand__, __iand__ = (
        _left(elementwise.bitwise_and), _right(elementwise.bitwise_and), _in_place(elementwise.bitwise_and, "&="),
    )  # fmt: skip
    __or__, __ror__, __ior__ = (
        _left(elementwise.bitwise_or), _right(elementwise.bitwise_or), _in_place(elementwise.bitwise_or, "|="),
    )  # fmt: skip
    __xor__, __rxor__, __ixor__ = (
        _left(elementwise.bitwise_xor), _right(elementwise.bitwise_xor), _in_place(elementwise.bitwise_xor, "^="),
    )  # fmt: skip
    __lshift__, __rlshift__, __ilshift__ = (
        _left(elementwise.bitwise_left_shift), _right(elementwise.bitwise_left_shift),
        _in_place(elementwise.bitwise_left_shift, "<<="),
    )  # fmt: skip
    __rshift__, __rrshift__, __irshift__ = (
        _left(elementwise.bitwise_right_shift), _right(elementwise.bitwise_right_shift),
        _in_place(elementwise.bitwise_right_shift, ">>="),
    )  # fmt: skip
    __lt__, __le__, __gt__, __ge__ = (
        _left(elementwise.less), _left(elementwise.less_equal), _left(elementwise.greater), _left(elementwise.greater_equal),
    )  # fmt: skip

    def __eq__(self, other: object, /) -> Any:
        return NotImplemented if other is None else _equal(self, other)

    def __ne__(self, other: object, /) -> Any:
        return NotImplemented if other is None else _not_equal(self, other)

    def __neg__(self) -> Tensor:
        return elementwise.negative(cast("Tensor", self))

    def __pos__(self) -> Tensor:
        return elementwise.positive(cast("Tensor", self))

    def __abs__(self) -> Tensor:
        return elementwise.abs(cast("Tensor", self))

    def __invert__(self) -> Tensor:
        return elementwise.bitwise_invert(cast("Tensor", self))

    # Functions as methods ---------------------------------------------------------------------------------------------

    @_reduction
    def sum(self, axis: Axes = None, *, dtype: DTypeLike | None = None, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.sum`."""
        return reduction.sum(cast("Tensor", self), axis=axis, dtype=dtype, keepdims=keepdims)

    @_reduction
    def mean(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.mean`."""
        return reduction.mean(cast("Tensor", self), axis=axis, keepdims=keepdims)

    @_reduction
    def prod(self, axis: Axes = None, *, dtype: DTypeLike | None = None, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.prod`."""
        return reduction.prod(cast("Tensor", self), axis=axis, dtype=dtype, keepdims=keepdims)

    @_reduction
    def max(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.max`."""
        return reduction.max(cast("Tensor", self), axis=axis, keepdims=keepdims)

    @_reduction
    def min(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.min`."""
        return reduction.min(cast("Tensor", self), axis=axis, keepdims=keepdims)

    @_reduction
    def std(self, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.std`."""
        return reduction.std(cast("Tensor", self), axis=axis, correction=correction, keepdims=keepdims)

    @_reduction
    def var(self, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.var`."""
        return reduction.var(cast("Tensor", self), axis=axis, correction=correction, keepdims=keepdims)

    @_reduction
    def any(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.any`."""
        return reduction.any(cast("Tensor", self), axis=axis, keepdims=keepdims)

    @_reduction
    def all(self, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.all`."""
        return reduction.all(cast("Tensor", self), axis=axis, keepdims=keepdims)

    @_reduction
    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.argmax`."""
        return cast("Tensor", searching.argmax(self, axis=axis, keepdims=keepdims))

    @_reduction
    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        """See :func:`gpugrad.argmin`."""
        return cast("Tensor", searching.argmin(self, axis=axis, keepdims=keepdims))

    def reshape(self, *sizes: Any) -> Tensor:
        """The same elements in another shape: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``; one size may be -1."""
        return shape.reshape(cast("Tensor", self), shape.as_shape(sizes[0]) if len(sizes) == 1 else sizes)

    def squeeze(self, axis: Axes = None) -> Tensor:
        """See :func:`gpugrad.squeeze`."""
        return shape.squeeze(cast("Tensor", self), axis)

    def permute_dims(self, *axes: Any) -> Tensor:
        """The axes in another order: ``x.permute_dims(1, 0)`` or ``x.permute_dims((1, 0))``."""
        return shape.permute_dims(
            cast("Tensor", self), tuple(axes[0]) if len(axes) == 1 and not isinstance(axes[0], int) else axes
        )


_equal, _not_equal = _left(elementwise.equal), _left(elementwise.not_equal)


def _as_numpy(x: Tensor, what: str) -> Any:
    if x.node is not None:
        raise ConversionError(
            f"{what}, asked for at {caller()}: this tensor records, and its gradient would be lost; "
            "use gpugrad's functions to keep it, .detach().numpy() to drop it"
        )
    if str(device_of(x.array)).startswith("cuda"):
        raise ConversionError(f"{what}, asked for at {caller()}: this tensor is on {device_of(x.array)}; use .cpu().numpy()")
    return to_numpy(x.array)


def _scalar(x: Any, what: str) -> Any:
    if math.prod(x.array.shape) != 1:
        advice = "; use any() or all() for the truth of many" if what == "bool" else ""
        raise ShapeError(f"{what}: got shape {tuple(x.array.shape)}, expected one element{advice}")
    return x.item()


def _warn_detached(x: Any, what: str) -> None:
    if x.node is not None:
        warnings.warn(
            f"{what}() of a tensor that records, at {caller()}: the number has no gradient; say .item() if that is meant",
            DetachedWarning,
            stacklevel=3,
        )


def _only_leaf(x: Any, what: str) -> None:
    if not x.is_leaf:
        raise GraphError(f"{what}: this tensor is a recorded result, and its graph cannot be copied; {what} x.detach() instead")


def _unpickle(kind: type[Tensor], array: Any, device: str, requires_grad: bool) -> Tensor:
    array = transfer.to_device(array, device)
    return kind(array, require_grad(array) if requires_grad else None)


def attach(kind: type) -> None:
    """Give an array class the methods of :class:`Operators`. Python's error messages call them methods of a Tensor."""
    for name, value in vars(Operators).items():
        if name not in (
            "__slots__",
            "__module__",
            "__doc__",
            "__annotations__",
            "__dict__",
            "__weakref__",
            "__qualname__",
            "__firstlineno__",
            "__static_attributes__",
        ):
            setattr(kind, name, value)
            if isinstance(value, FunctionType) and not value.__qualname__.startswith("Tensor."):
                for function in (value, getattr(value, "__wrapped__", value)):
                    function.__qualname__ = f"Tensor.{name}"


attach(Tensor)
for _name in OF_TENSORS:
    setattr(Tensor, _name, _Absent(_name))

__all__ = ["Operators", "RemovableHandle", "Tensor", "attach"]
