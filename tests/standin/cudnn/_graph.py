"""pygraph and its tensors: what may be said in which order, and pointers turned into NumPy arrays."""

import ctypes
import inspect
import itertools
import math

import ml_dtypes
import numpy as np

import cudnn
from cudnn import _operations, attention_implementation, build_plan_policy, convolution_mode, data_type, diagonal_alignment
from cudnn import tensor_reordering as reordering

DTYPES = {
    data_type.FLOAT: np.dtype(np.float32),
    data_type.HALF: np.dtype(np.float16),
    data_type.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
}
ALIGNMENT = 16  # graph_properties.h, Tensor_attributes; what get_alignment() gives
STEPS = ["described", "validate", "build_operation_graph", "create_execution_plans", "check_support", "build_plans"]
NOT_SET = data_type.NOT_SET


class tensor:
    """A tensor of a graph. The setters return the tensor."""

    def __init__(self, dim=(), stride=(), data_type=NOT_SET, is_virtual=False, uid=-1):
        """Results of operations have neither dimensions nor strides at first and are virtual (tried on the real module)."""
        self.dim, self.stride, self.data_type, self.virtual, self.uid = list(dim), list(stride), data_type, is_virtual, uid

    def set_uid(self, uid):
        """A number that pointers are handed over by."""
        self.uid = _integer(uid)
        return self

    def set_output(self, output):
        """Whether the tensor leaves the graph."""
        self.virtual = not output
        return self

    def set_data_type(self, data_type):
        """The type of its elements."""
        assert isinstance(data_type, cudnn.data_type), "No available conversion from type"  # cudnn/datatypes.py, _library_type
        self.data_type = data_type
        return self

    def set_dim(self, dim):
        """Its shape."""
        self.dim = _integers(dim)
        return self

    def set_stride(self, stride):
        """Its strides in elements."""
        self.stride = _integers(stride)
        return self

    def get_uid(self):
        """The number set."""
        return self.uid

    def array(self, address):
        """The NumPy array at an address."""
        if address % ALIGNMENT:
            raise RuntimeError(f"address {address} of tensor {self.uid} is not aligned")
        dtype = DTYPES[self.data_type]
        size = 1 + sum((n - 1) * step for n, step in zip(self.dim, self.stride, strict=True))
        memory = np.frombuffer((ctypes.c_char * (size * dtype.itemsize)).from_address(address), dtype)
        return np.lib.stride_tricks.as_strided(memory, self.dim, [step * dtype.itemsize for step in self.stride])


def _integer(x):
    """x, if pybind11 would take it for an int64_t."""
    if not hasattr(x, "__index__") or isinstance(x, bool):
        raise TypeError("incompatible function arguments")
    return int(x)


def _integers(values):
    """A list, if pybind11 would take `values` for a std::vector<int64_t>."""
    if not isinstance(values, (list, tuple)):
        raise TypeError("incompatible function arguments")
    return [_integer(x) for x in values]


class pygraph:
    """A graph of one operation, built step by step."""

    built = 0  # graphs in all, which tests count

    def __init__(
        self, name="test_graph", io_data_type=NOT_SET, intermediate_data_type=NOT_SET, compute_data_type=NOT_SET, handle=None,
        sm_count=None, sm_version=None, kernel_cache=None, device_property=None, is_dynamic_shape_enabled=False,
        is_override_shape_enabled=False,
    ):  # fmt: skip
        """The real one makes a handle of its own without one."""
        cudnn._handles[handle]
        self.io, self.intermediate, self.compute = io_data_type, intermediate_data_type, compute_data_type
        self.inputs, self.operation, self.step, self.deselected = [], None, 0, set()

    def tensor(self, dim, stride, data_type=NOT_SET, is_virtual=False, is_pass_by_value=False, ragged_offset=None,
               reordering_type=reordering.NONE, name="", uid=-1):  # fmt: skip
        """An input."""
        made = tensor(_integers(dim), _integers(stride), data_type, is_virtual, _integer(uid))
        self.inputs.append(made)
        return made

    def _add(self, kind, results, options):
        assert self.operation is None and self.step == 0, "the stand-in has graphs of one operation"
        made = [tensor(is_virtual=True) for _ in range(results)]
        self.operation = (kind, {k: v for k, v in options.items() if k != "self"}, made)
        return made

    def conv_fprop(self, image, weight, padding=[], stride=[], dilation=[], convolution_mode=convolution_mode.CROSS_CORRELATION,
                   compute_data_type=NOT_SET, name=""):  # fmt: skip
        """The first overload."""
        return self._add("conv_fprop", 1, dict(locals()))[0]

    def conv_dgrad(self, loss, filter, padding=[], stride=[], dilation=[], convolution_mode=convolution_mode.CROSS_CORRELATION,
                   compute_data_type=NOT_SET, name=""):  # fmt: skip
        """The first overload."""
        return self._add("conv_dgrad", 1, dict(locals()))[0]

    def conv_wgrad(self, image, loss, padding=[], stride=[], dilation=[], convolution_mode=convolution_mode.CROSS_CORRELATION,
                   compute_data_type=NOT_SET, name=""):  # fmt: skip
        """The first overload."""
        return self._add("conv_wgrad", 1, dict(locals()))[0]

    def sdpa(
        self, q, k, v, is_inference=None, attn_scale=None, bias=None, block_mask=None, use_alibi_mask=False,
        use_padding_mask=False, seq_len_q=None, seq_len_kv=None, use_causal_mask=False, use_causal_mask_bottom_right=False,
        sliding_window_length=None, diagonal_alignment=diagonal_alignment.TOP_LEFT, diagonal_band_left_bound=None,
        diagonal_band_right_bound=None, dropout=None, rng_dump=None, paged_attention_k_table=None, paged_attention_v_table=None,
        paged_attention_max_seq_len_kv=None, compute_data_type=NOT_SET, name="", score_mod=None, generate_stats=None,
        implementation=attention_implementation.AUTO, score_max=None, score_sum_exp=None, sink_token=None, unfuse_fma=False,
    ):  # fmt: skip
        """Attention: out and statistics."""
        if (generate_stats is None) == (is_inference is None):  # python/pygraph/sdpa.cpp
            raise RuntimeError("Exactly one of {generate_stats, is_inference} must be set (prefer generate_stats).")
        return self._add("sdpa", 2, dict(locals()))

    def sdpa_backward(
        self, q, k, v, o, dO, stats, attn_scale=None, bias=None, dBias=None, use_alibi_mask=False, use_padding_mask=False,
        seq_len_q=None, seq_len_kv=None, max_total_seq_len_q=None, max_total_seq_len_kv=None, use_causal_mask=False,
        use_causal_mask_bottom_right=False, sliding_window_length=None, diagonal_alignment=diagonal_alignment.TOP_LEFT,
        diagonal_band_left_bound=None, diagonal_band_right_bound=None, dropout=None, rng_dump=None,
        use_deterministic_algorithm=False, compute_data_type=NOT_SET, name="", score_mod=None, score_mod_bprop=None,
        sink_token=None, dSink_token=None,
    ):  # fmt: skip
        """The gradients of q, k and v."""
        return self._add("sdpa_backward", 3, dict(locals()))

    def _next(self, name):
        if STEPS[self.step + 1 : self.step + 2] != [name]:
            raise RuntimeError(f"{name} after {STEPS[self.step]}")
        self.step += 1

    def validate(self):
        """What the frontend itself refuses."""
        self._next("validate")
        kind, options, results = self.operation
        every = [*self.inputs, *results]
        for x in every:
            if not x.dim or len(x.dim) != len(x.stride):
                raise RuntimeError("Tensor dims or strides not set.")  # node_interface.h and graph_properties.h, validate
            if x.data_type is NOT_SET:
                raise RuntimeError("Tensor data type not set.")
            if x.virtual:
                raise RuntimeError("the stand-in needs every tensor outside")
            if min(x.dim) < 1 or min(x.stride) < 1:
                raise RuntimeError(f"dims {x.dim} and strides {x.stride} must be positive")
            if _overlaps(x):
                raise RuntimeError(f"dims {x.dim} with strides {x.stride} overlap")
        uids = [x.uid for x in every]
        if min(uids) < 0 or len(set(uids)) < len(uids):
            raise RuntimeError(f"uids {uids}: every tensor needs one of its own")
        if NOT_SET in (self.intermediate, self.compute):
            raise RuntimeError("Intermediate tensor data type needs to be set as internal tensors require it.")
        _operations.VALIDATE[kind](options, results)

    def build_operation_graph(self):
        """Second step."""
        self._next("build_operation_graph")

    def create_execution_plans(self, modes):
        """Third step: finds engines."""
        assert all(isinstance(mode, cudnn.heur_mode) for mode in modes)
        self._next("create_execution_plans")

    def deselect_numeric_notes(self, notes):
        """Sorts out engines that were found (plans.h: before that there are none to sort out)."""
        assert STEPS[self.step] == "create_execution_plans" and all(isinstance(note, cudnn.numerical_note) for note in notes)
        self.deselected |= {note.name for note in notes}

    def check_support(self):
        """Fourth step."""
        self._next("check_support")

    def build_plans(self, policy=build_plan_policy.HEURISTICS_CHOICE):
        """Last step."""
        self._next("build_plans")
        pygraph.built += 1

    def get_workspace_size(self):
        """Bytes; raises before the last step (tried on the real module)."""
        if STEPS[self.step] != "build_plans":
            raise RuntimeError("Plan index -1 is invalid.")
        return 64 + 8 * math.prod(self.inputs[0].dim[:2])

    def execute(self, tensor_to_device_buffer, workspace, handle=None, override_uids=None, override_shapes=None,
                override_strides=None):  # fmt: skip
        """Compute, overwriting the whole workspace."""
        size = self.get_workspace_size()
        cudnn._check(handle)
        pointers = dict(tensor_to_device_buffer)
        every = [*self.inputs, *self.operation[2]]
        if {x.uid for x in every} != set(pointers) or any(type(p) is not int or not p for p in (*pointers.values(), workspace)):
            raise RuntimeError(f"the pack of pointers {pointers} does not fit")
        ctypes.memset(workspace, 0xFF, size)
        kind, options, results = self.operation
        arrays = {id(x): x.array(pointers[x.uid]) for x in every}
        given = {name: arrays.get(id(x), x) for name, x in options.items()}
        tf32 = not self.deselected & {"TENSOR_CORE"} and self.inputs[0].data_type is data_type.FLOAT
        found = _operations.COMPUTE[kind]([x.dim for x in results], tf32, **given)
        for x, values in zip(results, found, strict=True):
            arrays[id(x)][...] = values


def _overlaps(x):
    """Whether two elements of a tensor share memory, by the strides in order."""
    end = 0
    for step, n in sorted((step, n) for n, step in zip(x.dim, x.stride, strict=True) if n > 1):
        if step <= end:
            return True
        end += step * (n - 1)
    return False


def signatures():
    """The signatures of the methods above, as `signatures.txt` has them: names, and = after those with a default."""
    names = ["pygraph", "tensor", "conv_fprop", "conv_dgrad", "conv_wgrad", "sdpa", "sdpa_backward", "execute"]
    for name in names:
        function = pygraph.__init__ if name == "pygraph" else getattr(pygraph, name)
        parameters = itertools.islice(inspect.signature(function).parameters.values(), 1, None)
        yield f"{name}: {' '.join(p.name + '=' * (p.default is not p.empty) for p in parameters)}"
