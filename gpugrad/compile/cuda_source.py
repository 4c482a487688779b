"""CUDA C++ from kernels: the loops, as the threads of a GPU share them.

========= ================================================ ==================================================================
form      when                                             threads
========= ================================================ ==================================================================
map       nothing is reduced                               each takes 16 bytes of neighbouring elements at a time
row       the last axis is reduced, or all are             those of one threadIdx.y share a row: from a few lanes to a block
column    the last axis is kept                            threadIdx.x runs along it, threadIdx.y along what is reduced
========= ================================================ ==================================================================

Every pass over a row or column ends with a combination among its threads after which all of them have the result, so the next
pass goes on at once. A kernel of one pass without results of the whole space may split rows over blocks (gridDim.y); a second
function then combines the parts, in a fixed order. Sums of 16- and 32-bit floating-point numbers are taken in float32 per
thread and in float64 across parts. How many threads there are is decided by ``launches.py`` from the sizes of a call: the source
serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from gpugrad.arrays.dtypes import DType
from gpugrad.compile.cuda_emit import CudaEmitter
from gpugrad.compile.emit import Axis, Ix, Scope, places
from gpugrad.compile.expressions import combine, compute_type, identity, stored_type
from gpugrad.compile.graph import FLOAT64, Node
from gpugrad.compile.launches import MOST_THREADS, THREADS, Work
from gpugrad.compile.schedule import Kernel

FLOAT32 = numpy.dtype("float32")


def _header(name: str) -> str:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return text.replace("#pragma once\n", "")  # which the compiler would warn of, outside of a header


_HEADERS = _header("cuda.h"), _header("prelude.h")
_PHILOX = _header("philox.h")


@dataclass
class Function:
    """One CUDA function of a kernel. Its parameters are arrays, integers of 64 bits, and scalars of float64."""

    name: str
    arrays: list[Node | int]  # nodes whose arrays are passed, those written first; a number for a buffer of parts
    scalars: list[int]  # numbers of the arguments that are Python floats
    sizes: list[int]  # numbers of the size variables that are passed
    strides: list[tuple[int, int]]  # (input's node number, axis), in elements, passed after the sizes
    work: Work
    final: bool  # whether it combines the parts of `work`, whose number is passed last


@dataclass
class Source:
    """The CUDA C++ source of a kernel."""

    text: str
    functions: list[Function]
    partial: list[tuple[DType, Work]]  # buffers of parts that the functions share


def generate(kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> Source:
    """The CUDA C++ source of a kernel. `strided` holds the numbers of the inputs that are not contiguous."""
    return _Writer(kernel, name, stored, strided).source()


def translation_unit(source: str, wide: bool = False) -> str:
    """All that the compiler needs for generated source. `wide`: with places of 64 bits."""
    lines = ["#define GG_CUDA"]
    if wide:
        lines.append("#define GG_WIDE")
    if "gg_half" in source or "gg_round_float16" in source:
        lines += ["#include <cuda_fp16.h>", "#define GG_FLOAT16"]
    if "gg_bfloat16" in source or "gg_round_bfloat16" in source:
        lines += ["#include <cuda_bf16.h>", "#define GG_BFLOAT16"]
    return "\n".join([*lines, *_HEADERS, *([_PHILOX] if "gg_philox" in source else []), source])


class _Writer:
    def __init__(self, kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> None:
        self.kernel = kernel
        self.name = name
        self.emitter = CudaEmitter(kernel, stored, strided)
        self.kept = [axis for axis in self.emitter.axes if not axis.reduced]
        self.reduced = [axis for axis in self.emitter.axes if axis.reduced]
        self.full_roots = [r for r in kernel.roots if not self.emitter.is_kept(r)]
        self.kept_roots = [r for r in kernel.roots if self.emitter.is_kept(r)]
        self.body = Scope()
        self.parts: list[Node] = []  # reductions whose parts go through buffers

    def source(self) -> Source:
        if not self.reduced:
            return self._map()
        return self._row() if self.emitter.axes[-1].reduced else self._column()

    # Maps ------------------------------------------------------------------------------------------------------------

    def _map(self) -> Source:
        emitter, roots = self.emitter, self.kernel.roots
        self.body.write("const gg_index begin = (gg_index)blockIdx.x * blockDim.x + threadIdx.x;")
        self.body.write("const gg_index step = (gg_index)gridDim.x * blockDim.x;")

        def element(loop: Scope) -> None:
            emitter.compute(roots, loop)
            for root in roots:
                emitter.store(root, loop)

        self._sweep(self.kept, "i", self.body, element, emitter.vector)
        work = Work("map", extent=places(self.kept), vector=emitter.vector)
        text, function = self._function(self.name, work, THREADS, self.kept, emitter.vector)
        return Source(text, [function], [])

    # Rows and columns ------------------------------------------------------------------------------------------------

    def _row(self) -> Source:
        emitter, body = self.emitter, self.body
        split = self._splits()
        body.write(f"const gg_index begin = threadIdx.x{' + (gg_index)blockIdx.y * blockDim.x' if split else ''};")
        body.write(f"const gg_index step = {'(gg_index)gridDim.y * ' if split else ''}blockDim.x;")
        with self._rows() as item:
            self._reduce(item, "row", split, emitter.vector, "i")
        work = Work("row", rows=places(self.kept), extent=places(self.reduced), vector=emitter.vector, split=split)
        return self._reduction(work, self.reduced, emitter.vector)

    def _column(self) -> Source:
        emitter, body, last = self.emitter, self.body, self.kept[-1]
        split = self._splits()
        width = emitter.size(last.size)
        body.write(f"const gg_index begin = threadIdx.y{' + (gg_index)blockIdx.y * blockDim.y' if split else ''};")
        body.write(f"const gg_index step = {'(gg_index)gridDim.y * ' if split else ''}blockDim.y;")
        body.write(f"const gg_index columns = blockDim.x, blocks = ({width} + columns - 1) / columns;")
        total = f"{emitter.size(places(self.kept[:-1]))} * blocks"
        with body.loop(f"for (gg_index item = blockIdx.x; item < {total}; item += gridDim.x) {{", variables=("i",)) as item:
            item.write("const gg_index o = item / blocks, p = item % blocks * columns + threadIdx.x;")
            item.write(f"const bool own = p < {width};")
            item.write(f"const gg_index c = own ? p : {width} - 1;")
            self._decompose(self.kept[:-1], "o", item, "i")
            emitter.set_index(last, "c", frozenset({"i"}))
            self._reduce(item, "column", split, 1, f"(o * {width} + c)")
        work = Work("column", places(self.kept[:-1]), last.size, places(self.reduced), split=split)
        return self._reduction(work, self.reduced, 1)

    def _splits(self) -> bool:
        return len(self.emitter.reductions) == 1 and not self.full_roots

    @contextmanager
    def _rows(self) -> Iterator[Scope]:
        """The loop over rows, the same number of times for all threads of a block; `own` says whether row i is this thread's."""
        if not self.kept:  # one row: no loop, so that what depends on its total is computed after it
            self.body.write("const gg_index i = 0;")
            self.body.write("const bool own = blockIdx.x == 0 && threadIdx.y == 0;")
            yield self.body
            return
        head = (
            f"const gg_index rows = {self.emitter.size(places(self.kept))};",
            "for (gg_index first = (gg_index)blockIdx.x * blockDim.y; first < rows; first += (gg_index)gridDim.x * blockDim.y) {",
            "    const bool own = first + (gg_index)threadIdx.y < rows;",
            "    const gg_index i = own ? first + (gg_index)threadIdx.y : rows - 1;",
        )
        with self.body.loop(*head, variables=("i",)) as item:
            self._decompose(self.kept, "i", item, "i")
            yield item

    def _reduce(self, item: Scope, form: str, split: bool, vector: int, place: str) -> None:
        """The passes over one row or column, and its results."""
        emitter = self.emitter
        leader = f"threadIdx.{'x' if form == 'row' else 'y'} == 0 && own"
        for group in emitter.reductions:
            totals = {node.number: self._start(node, item) for node in group}

            def element(loop: Scope, group: list[Node] = group, totals: dict[int, str] = totals) -> None:
                for node in group:
                    operand = node.inputs[0]
                    found = emitter.value(operand, emitter.everywhere(operand), loop)
                    total = totals[node.number]
                    loop.write(f"{total} = {combine(node.attributes[0], node.dtype, total, found)};")

            self._sweep(self.reduced, "j", item, element, vector)
            for node in group:
                self._finish_total(node, totals[node.number], form, item, node.dtype)
        if split:
            (self.parts,) = emitter.reductions
            with item.loop("if (gridDim.y > 1) {") as several:
                for k, node in enumerate(self.parts):
                    target = f"z{k}[{place} * (gg_index)gridDim.y + blockIdx.y]"
                    several.write(f"if ({leader}) {target} = {emitter.results[node.number]};")
                several.write("continue;" if self.kept else "return;")
        if self.full_roots:
            with item.loop("if (own) {") as mine:

                def stores(loop: Scope) -> None:
                    for root in self.full_roots:
                        emitter.store(root, loop)

                self._sweep(self.reduced, "j", mine, stores, vector)
        if self.kept_roots:
            with item.loop(f"if ({leader}) {{") as mine:
                for root in self.kept_roots:
                    emitter.store(root, mine)

    def _start(self, node: Node, scope: Scope, dtype: DType | None = None) -> str:
        """A variable for what a thread reduces. Returns its name."""
        name = self.emitter.name("m")
        dtype = dtype or node.dtype
        scope.write(f"{compute_type(dtype)} {name} = {identity(node.attributes[0], dtype)};")
        return name

    def _finish_total(self, node: Node, total: str, form: str, scope: Scope, dtype: DType) -> None:
        """Combine what the threads have."""
        result, kind, narrow = self.emitter.name("m"), compute_type(dtype), compute_type(node.dtype)
        operation = f"[]({kind} a, {kind} b) -> {kind} {{ return {combine(node.attributes[0], dtype, 'a', 'b')}; }}"
        scope.write(f"const {narrow} {result} = ({narrow})gg_reduce_{form}({total}, {operation});")
        self.emitter.results[node.number] = result

    def _reduction(self, work: Work, axes: Sequence[Axis], vector: int) -> Source:
        """The function whose body has been written, and the one that combines its parts, if it may be split."""
        first, function = self._function(self.name, work, MOST_THREADS, axes, vector)
        if not work.split:
            return Source(first, [function], [])
        self.emitter = CudaEmitter(self.kernel, self.emitter.stored, self.emitter.strided)
        self.body = Scope()
        with self._rows() as item:
            totals = [self._start(node, item, _part_dtype(node)) for node in self.parts]
            with item.loop("for (gg_index j = threadIdx.x; j < parts; j += blockDim.x) {", variables=("j",)) as loop:
                for k, (node, total) in enumerate(zip(self.parts, totals, strict=True)):
                    found = combine(node.attributes[0], _part_dtype(node), total, f"z{k}[i * parts + j]")
                    loop.write(f"{total} = {found};")
            for node, total in zip(self.parts, totals, strict=True):
                self._finish_total(node, total, "row", item, _part_dtype(node))
            with item.loop("if (threadIdx.x == 0 && own) {") as mine:
                for root in self.kept_roots:
                    self.emitter.store(root, mine)
        second, finish = self._function(f"{self.name}_finish", work, MOST_THREADS, final=True)
        return Source(f"{first}\n{second}", [function, finish], [(_part_dtype(node), work) for node in self.parts])

    # Loops -----------------------------------------------------------------------------------------------------------

    def _sweep(self, axes: Sequence[Axis], variable: str, scope: Scope, element: Callable[[Scope], Any], vector: int) -> None:
        """Loops of a thread over its elements of `axes`: by vectors as far as they go, then one by one."""
        emitter = self.emitter
        begin = "begin"
        if vector > 1:
            with scope.loop(
                f"for (gg_index {variable} = begin; {variable} < vectors; {variable} += step) {{", variables=(variable,)
            ) as outer:
                self._vectors(axes, variable, outer)
                with outer.loop("#pragma unroll", f"for (int l = 0; l < {vector}; ++l) {{", variables=("l",)) as lane:
                    element(lane)
                emitter.flush(outer)
                emitter.lane = None
            begin = f"vectors * {vector} + begin"
        head = f"for (gg_index {variable} = {begin}; {variable} < {emitter.size(places(axes))}; {variable} += step) {{"
        # The tail of a map is short; columns, and rows of odd lengths, run here and need several loads under way.
        unroll = f"#pragma unroll {1 if vector > 1 and not self.reduced else 4}"
        with scope.loop(unroll, head, variables=(variable,)) as loop:
            self._decompose(axes, variable, loop, variable)
            element(loop)

    def _vectors(self, axes: Sequence[Axis], variable: str, scope: Scope) -> None:
        """The places of a vector's elements from its number."""
        emitter, last, width = self.emitter, axes[-1], self.emitter.vector
        start = emitter.name("i")
        if len(axes) == 1:
            scope.write(f"const gg_index {start} = {variable} * {width};")
        else:
            emitter.whole_rows = True
            row, count = emitter.name("i"), f"({emitter.size(last.size)} / {width})"
            scope.write(f"const gg_index {start} = {variable} % {count} * {width}, {row} = {variable} / {count};")
            self._decompose(axes[:-1], row, scope, variable)
        emitter.start = Ix(start, frozenset({variable}))
        emitter.set_index(last, f"({start} + l)", frozenset({variable, "l"}))
        emitter.lane = emitter.index[last.members[-1]]

    def _decompose(self, axes: Sequence[Axis], source: str, scope: Scope, variable: str) -> None:
        """The places on several axes from a number that depends on a loop's variable."""
        left = source
        for k in range(len(axes) - 1, -1, -1):
            place = left
            if k:
                size = self.emitter.size(axes[k].size)
                place, rest = self.emitter.name("i"), self.emitter.name("i")
                scope.write(f"const gg_index {place} = {left} % {size}, {rest} = {left} / {size};")
                left = rest
            self.emitter.set_index(axes[k], place, frozenset({variable}))

    # Functions -------------------------------------------------------------------------------------------------------

    def _function(
        self, name: str, work: Work, threads: int, axes: Sequence[Axis] = (), vector: int = 1, final: bool = False
    ) -> tuple[str, Function]:
        """The function whose body has been written, with its parameters and what it starts with."""
        emitter = self.emitter
        head: list[str] = []
        if vector > 1:
            condition = emitter.condition(axes[-1].size)
            head.append(f"const gg_index vectors = {condition} ? {emitter.size(places(axes))} / {vector} : 0;")
        parameters: list[str] = []
        arrays: list[Node | int] = []
        restrict = "" if work.form == "map" else "__restrict__ "  # maps may write in place

        def pointer(node: Node | int, variable: str, dtype: DType, constant: str) -> None:
            parameters.append(f"{constant}{stored_type(dtype)} *{restrict}{variable}")
            arrays.append(node)

        for number, variable in emitter.outputs.items():
            pointer(emitter.nodes[number], variable, emitter.nodes[number].dtype, "")
        for k, node in enumerate(self.parts):
            pointer(k, f"z{k}", _part_dtype(node), "const " if final else "")
        for number, variable in emitter.arrays.items():
            pointer(emitter.nodes[number], variable, emitter.nodes[number].dtype, "const ")
        sizes, strides, scalars = sorted(emitter.sizes), list(emitter.strides), sorted(emitter.scalars)
        integers = [f"s{v}" for v in sizes] + [emitter.strides[key] for key in strides] + ["parts"] * final
        parameters += [f"int64_t {integer}_" for integer in integers]
        parameters += [f"double k{v}" for v in scalars]
        head = [f"const gg_index {integer} = (gg_index){integer}_;" for integer in integers] + head
        lines = [
            f'extern "C" __global__ void __launch_bounds__({threads}) {name}({", ".join(parameters)})',
            "{",
            *(f"    {line}" for line in head),
            *self.body.source(1),
            "}\n",
        ]
        return "\n".join(lines), Function(name, arrays, scalars, sizes, strides, work, final)


def _part_dtype(node: Node) -> DType:
    """The dtype in which parts are stored and combined."""
    if node.dtype.kind in "biu":
        return node.dtype
    return FLOAT64 if node.attributes[0] in ("sum", "prod") else FLOAT64 if node.dtype.itemsize == 8 else FLOAT32
