"""C from kernels: the loops, in a form that compilers vectorise.

========= ================================================ ==================================================================
form      when                                             a work item
========= ================================================ ==================================================================
map       nothing is reduced                               an element, or a row of the last axis if arrays broadcast
row       the last axis is reduced                         a place on the kept axes; its passes run along the reduced ones.
                                                           Short rows: a block of them, side by side, as columns are
column    the last axis is kept                            a block of neighbouring places on it, side by side
full      everything is reduced                            a stretch of elements; a second function combines what they give
========= ================================================ ==================================================================

Sums of floating-point numbers are taken in vector lanes over stretches of BLOCK elements, and the stretches added up in float64:
faster than one after the other, and more accurate. Their products are taken one after the other, in float64: lanes may overflow
where the whole does not. A value that one pass over a row computed at some cost and a later one
needs again is kept in a buffer of the thread, which stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpugrad.arrays.dtypes import DType
from gpugrad.compile import vectors
from gpugrad.compile.emit import Axis, Emitter, Ix, Scope, places
from gpugrad.compile.expressions import combine, compute_type, cost, identity, stored_type, suffix
from gpugrad.compile.graph import FLOAT64, Node
from gpugrad.compile.schedule import Kernel
from gpugrad.compile.sizes import Size, same, text
from gpugrad.compile.stretches import stretched, vector_loop

BLOCK = 1024
"""Elements that are summed up in the vector lanes of float32, and of which a work item of a full reduction has a few."""

LANES = 128
"""Columns side by side in a column kernel: some vectors, and a few cache lines of every row."""

SHORT, SHORT_WRITTEN = 24, 12
"""Elements, at most, of a row that is computed side by side with others, and of one that is also written: by itself it would be a vector or
two, and what is left of them one element after the other."""

SIDE_BY_SIDE = LANES // 2
"""Rows, at least, that there have to be along the last kept axis for that."""

PART = 16 * BLOCK
"""Elements in a work item of a full reduction: fixed, so that results do not depend on the number of threads."""


class Items(NamedTuple):
    """How many work items there are: ``rows * ceil(size / block)``."""

    rows: Any
    size: Any = 1
    block: int = 1


@dataclass
class Function:
    """One C function of a kernel, and how to call it."""

    name: str
    arrays: list[Node | int]  # nodes whose arrays are passed, those written first; a number for a buffer of partial results
    outputs: int
    scalars: list[int]  # numbers of the arguments that are Python floats
    sizes: list[int]  # numbers of the size variables that are passed
    strides: list[tuple[int, int]]  # (input's node number, axis), in elements, passed after the sizes
    items: Items
    cost: float  # in nanoseconds, of each of the `elements`
    elements: int | Size
    scratch: tuple[int, int | Size]  # buffers per thread, elements in each
    short: Short | None = None  # what does the same where rows are short


class Short(NamedTuple):
    """A function in place of another where rows have a `length` of `most` or less, and the last kept axis has a `width` of SIDE_BY_SIDE or
    more: `write` returns it with a source of its own, which is written and compiled only where that is so, or None."""

    length: int | Size
    most: int
    width: int | Size
    write: Callable[[], tuple[str, Function] | None]


@dataclass
class Source:
    """The C source of a kernel."""

    text: str
    functions: list[Function]
    partial: list[tuple[DType, Items]]  # buffers of partial results that the functions share


def generate(kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> Source:
    """The C source of a kernel. `strided` holds the numbers of the inputs that are not contiguous."""
    return _Writer(kernel, name, stored, strided).source()


class _Writer:
    def __init__(self, kernel: Kernel, name: str, stored: set[int], strided: set[int]) -> None:
        self.kernel = kernel
        self.name = name
        self.emitter = Emitter(kernel, stored, strided)
        self.emitter.bits = lambda node, index, scope: stretched(self.emitter, node, index, scope)
        self.kept = [axis for axis in self.emitter.axes if not axis.reduced]
        self.reduced = [axis for axis in self.emitter.axes if axis.reduced]
        self.passes = self.emitter.reductions
        self.full_roots = [r for r in kernel.roots if not self.emitter.is_kept(r)]
        self.kept_roots = [r for r in kernel.roots if self.emitter.is_kept(r)]
        self.body = Scope()
        self.done: dict[Any, tuple[Scope, str]] = {}  # values that earlier passes over a row computed
        self.buffers: list[str] = []
        self.totals: dict[int, str] = {}  # of the last pass: the names of what it summed up
        self.extra: list[tuple[str, DType]] = []  # arrays of partial results: (name, dtype)

    def source(self) -> Source:
        if not self.reduced or not (self.passes or self.kept):
            return Source(*self._single(*self._map()))
        if not self.kept:
            return self._full()
        if self.emitter.axes[-1].reduced:
            return self._rows()
        return Source(*self._single(*self._column()))

    def _single(self, items: Any, elements: Any, scratch: tuple[int, Any]) -> tuple[str, list[Function], list[Any]]:
        source, function = self._function(self.name, items, elements, scratch)
        return source, [function], []

    def _function(
        self,
        name: str,
        items: Any,
        elements: Any,
        scratch: tuple[int, Any] = (0, 0),
        partial: Sequence[str] = (),
        final: bool = False,
    ) -> tuple[str, Function]:
        """The function whose body has been written, with the declarations of what it uses."""
        emitter = self.emitter
        roots = self.kept_roots if final else self.full_roots if partial else self.kernel.roots
        written = {root.number: emitter.outputs[root.number] for root in roots}
        lines = []
        arrays: list[Node | int] = []

        def pointer(node: Node | int, variable: str, dtype: DType, constant: bool) -> None:
            kind = ("const " if constant else "") + stored_type(dtype)
            lines.append(f"    {kind} *const {variable} = ({kind} *)p[{len(arrays)}];")
            arrays.append(node)

        for number, variable in written.items():
            pointer(emitter.nodes[number], variable, emitter.nodes[number].dtype, False)
        for i, variable in enumerate(partial if not final else ()):
            pointer(i, variable, self.extra[i][1], False)
        outputs = len(arrays)
        for i, variable in enumerate(partial if final else ()):
            pointer(i, variable, self.extra[i][1], True)
        for number in sorted(emitter.arrays):
            pointer(emitter.nodes[number], emitter.arrays[number], emitter.nodes[number].dtype, True)
        sizes = sorted(emitter.sizes)
        lines += [f"    const int64_t s{v} = n[{i}];" for i, v in enumerate(sizes)]
        strides = list(emitter.strides)
        lines += [f"    const int64_t {emitter.strides[key]} = n[{len(sizes) + i}];" for i, key in enumerate(strides)]
        scalars = sorted(emitter.scalars)
        lines += [f"    const double k{v} = s[{i}];" for i, v in enumerate(scalars)]
        for i, buffer in enumerate(self.buffers):
            kind = buffer.split()[0]
            lines.append(
                f"    {kind} *const {buffer.split()[1]} = ({kind} *)(scratch + {i} * ((8 * ({text(scratch[1])}) + 127) / 64 * 64));"
            )
        head = f"void {name}(char *const *p, const int64_t *n, const double *s, char *scratch, int64_t begin, int64_t end)\n{{"
        include = ['#include "philox.h"\n'] if emitter.random else []
        source = "\n".join([*include, head, *lines, *self.body.source(1), "}\n"])
        size = sum(emitter.nodes[a.number].dtype.itemsize for a in arrays if isinstance(a, Node))
        price = 0.04 * emitter.cost + 0.04 * size
        return source, Function(
            name, arrays, outputs, scalars, sizes, strides, items, price, elements, (len(self.buffers), scratch[1])
        )

    # Maps ------------------------------------------------------------------------------------------------------------

    def _map(self) -> tuple[Any, Any, tuple[int, Any]]:
        emitter, axes = self.emitter, self.kept
        total = places(axes)
        if len(axes) <= 1:
            with self._simd("i", "begin", "end") as loop:
                for axis in axes:
                    emitter.set_index(axis, "i", frozenset({"i"}))
                for root in self.kernel.roots:
                    emitter.store(root, loop)
            return Items(total), total, (0, 0)
        inner = axes[-1]
        with self.body.loop("for (int64_t i = begin; i < end; ++i) {", variables=("i",)) as rows:
            self._decompose(axes[:-1], "i", rows)
            with self._simd("j", "0", emitter.size(inner.size), parent=rows) as loop:
                emitter.set_index(inner, "j", frozenset({"j"}))
                for root in self.kernel.roots:
                    emitter.store(root, loop)
        return Items(places(axes[:-1])), total, (0, 0)

    # Rows ------------------------------------------------------------------------------------------------------------

    def _rows(self) -> Source:
        """A function for rows one by one and, where one axis is reduced, another for many short ones at a time."""
        source, (function,), _ = self._single(*self._row())
        if len(self.reduced) == 1 and not self.emitter.random:  # random bits are made for neighbours in a row
            most = SHORT_WRITTEN if self.full_roots else SHORT
            function.short = Short(self.reduced[0].size, most, self.kept[-1].size, lambda: self._side_by_side(function))
        return Source(source, [function], [])

    def _side_by_side(self, function: Function) -> tuple[str, Function] | None:
        """The source of another form of a function of rows, and the other one, if it takes the same arguments."""
        other = _Writer(self.kernel, self.name, self.emitter.stored, self.emitter.strided)
        source, (found,), _ = other._single(*other._column())
        return (source, found) if (found.arrays, found.scalars) == (function.arrays, function.scalars) else None

    def _row(self) -> tuple[Any, Any, tuple[int, Any]]:
        emitter = self.emitter
        emitter.reuse = self._buffered
        extent = places(self.reduced)
        with self.body.loop("for (int64_t i = begin; i < end; ++i) {", variables=("i",)) as item:
            self._decompose(self.kept, "i", item)
            for group in self.passes:
                self._reduce_row(group, item)
            if self.full_roots:
                with ExitStack() as stack:
                    inner = stack.enter_context(self._simd_over(self.reduced, item, stack))
                    for root in self.full_roots:
                        emitter.store(root, inner)
            for root in self.kept_roots:
                emitter.store(root, item)
        return Items(places(self.kept)), places(self.emitter.axes), (len(self.buffers), extent)

    def _simd_over(self, axes: Sequence[Axis], scope: Scope, stack: ExitStack, clauses: str = "") -> Any:
        """Loops over reduced axes, the last of them vectorised."""
        for depth, axis in enumerate(axes[:-1]):
            variable = f"r{depth}"
            scope = stack.enter_context(self._loop(variable, self.emitter.size(axis.size), scope))
            self.emitter.set_index(axis, variable, frozenset({variable}))
        self.emitter.set_index(axes[-1], "j", frozenset({"j"}))
        return self._simd("j", "0", self.emitter.size(axes[-1].size), parent=scope, clauses=clauses)

    def _reduce_row(
        self,
        group: list[Node],
        scope: Scope,
        axes: Sequence[Axis] | None = None,
        begin: str = "0",
        end: str = "",
        beside: Sequence[Node] = (),
    ) -> None:
        """One pass over the reduced axes for reductions that do not depend on one another, storing `beside` on the way."""
        emitter = self.emitter
        axes = self.reduced if axes is None else axes
        names = self.totals = {node.number: emitter.name("m") for node in group}
        for node in group:
            scope.write(f"{_total_type(node)} {names[node.number]} = {_identity(node, _total_dtype(node))};")
        blocked = any(_summed(node) for node in group)
        inner_names = {n: emitter.name("q") if _summed(node) else names[n] for n, node in zip(names, group, strict=True)}
        # OpenMP's max loses nan, so nan has a flag of its own: a reduction that minds nan itself is combined lane by lane.
        flags = {node.number: emitter.name("z") for node in group if _extreme(node)}
        for flag in flags.values():
            scope.write(f"int {flag} = 0;")
        clauses = "".join(f" reduction({_clause(node)}:{inner_names[node.number]})" for node in group)
        clauses += "".join(f" reduction(|:{flag})" for flag in flags.values())
        with ExitStack() as stack:
            outer = scope
            for depth, axis in enumerate(axes[:-1]):
                outer = stack.enter_context(self._loop(f"r{depth}", emitter.size(axis.size), outer))
                emitter.set_index(axis, f"r{depth}", frozenset({f"r{depth}"}))
            last = axes[-1]
            emitter.set_index(last, "j", frozenset({"j"}))
            limit = end or emitter.size(last.size)
            start = begin
            if blocked:
                outer = stack.enter_context(outer.loop(f"for (int64_t b = {begin}; b < {limit}; b += {BLOCK}) {{"))
                outer.write(f"const int64_t c = b + {BLOCK} < {limit} ? b + {BLOCK} : {limit};")
                for node in group:
                    if _summed(node):
                        outer.write(f"{compute_type(node.dtype)} {inner_names[node.number]} = {_identity(node)};")
                start, limit = "b", "c"
            apart = not beside and vectors.possible(group, emitter, last)
            if apart:
                start = vectors.reduce(group, inner_names, emitter, outer, last, start, limit)
                emitter.set_index(last, "j", frozenset({"j"}))
                rest = outer.loop(f"for (int64_t j = {start}; j < {limit}; ++j) {{", variables=("j",))
            elif any(_multiplied(node) for node in group):
                rest = outer.loop(f"for (int64_t j = {start}; j < {limit}; ++j) {{", variables=("j",))
            else:
                rest = self._simd("j", start, limit, parent=outer, clauses=clauses)
            with rest as loop:
                for node in group:
                    operand = node.inputs[0]
                    found = emitter.value(operand, emitter.everywhere(operand), loop)
                    name = inner_names[node.number]
                    if node.number in flags:
                        loop.write(f"{name} = {found} {'>' if node.attributes[0] == 'max' else '<'} {name} ? {found} : {name};")
                        loop.write(f"{flags[node.number]} |= {found} != {found};")
                        continue
                    loop.write(f"{name} = {combine(node.attributes[0], node.dtype, name, found)};")
                for root in beside:
                    emitter.store(root, loop)
                if not apart:  # else this loop has the rest alone
                    self._remember(loop)
            for node in group:
                if _summed(node):
                    total = names[node.number]
                    outer.write(f"{total} = {combine(node.attributes[0], FLOAT64, total, inner_names[node.number])};")
        for node in group:
            if node.number in flags:
                name = names[node.number]
                scope.write(f"{name} = {flags[node.number]} ? gg_nan_{suffix(node.dtype)} : {name};")
        for node in group:
            emitter.results[node.number] = names[node.number]
            if _total_type(node) != compute_type(node.dtype):
                final = emitter.name("m")
                scope.write(f"const {compute_type(node.dtype)} {final} = ({compute_type(node.dtype)}){names[node.number]};")
                emitter.results[node.number] = final

    def _remember(self, loop: Scope) -> None:
        for key, name in loop.known.items():
            self.done.setdefault(key, (loop, name))

    def _buffered(self, node: Node, index: tuple[Ix, ...], key: Any, scope: Scope) -> str | None:
        """A value that an earlier pass over the row computed at some cost: kept in a buffer from then on."""
        found = self.done.get(key)
        whole = len(self.kernel.shape)
        if found is None or found[0] is scope or not node.elementwise or _depth(node, self.emitter, whole) < 8:
            return None
        loop, name = found
        if "[" not in name:
            buffer = f"b{len(self.buffers)}"
            self.buffers.append(f"{compute_type(node.dtype)} {buffer}")
            place = self._row_place()
            loop.write(f"{buffer}[{place}] = {name};")
            name = f"{buffer}[{place}]"
            self.done[key] = (loop, name)
        fresh = self.emitter.name("t")
        home = scope.home(frozenset().union(*(i.variables for i in index)))
        home.write(f"const {compute_type(node.dtype)} {fresh} = {name};")
        home.known[key] = fresh
        return fresh

    def _row_place(self) -> str:
        terms: list[str] = []
        after: Any = 1
        for depth in range(len(self.reduced) - 1, -1, -1):
            variable = "j" if depth == len(self.reduced) - 1 else f"r{depth}"
            terms.insert(0, variable if isinstance(after, int) else f"{variable} * {self.emitter.size(after)}")
            after = after * self.reduced[depth].size
        return " + ".join(terms)

    # Columns ---------------------------------------------------------------------------------------------------------

    def _column(self) -> tuple[Any, Any, tuple[int, Any]]:
        emitter = self.emitter
        emitter.reuse = self._tabled
        last = self.kept[-1]
        width = emitter.size(last.size)
        with self.body.loop("for (int64_t i = begin; i < end; ++i) {", variables=("i", "l0")) as item:
            self.item = item
            blocks = f"(({width} + {LANES - 1}) / {LANES})"
            item.write(f"const int64_t l0 = i % {blocks} * {LANES};")
            item.write(f"const int64_t w = l0 + {LANES} < {width} ? {LANES} : {width} - l0;")
            if self.kept[:-1]:
                item.write(f"const int64_t o = i / {blocks};")
                self._decompose(self.kept[:-1], "o", item)
            emitter.set_index(last, "(l0 + l)", frozenset({"l0", "l"}))
            for group in self.passes:
                self._reduce_column(group, item)
            if self.full_roots:
                with ExitStack() as stack:
                    scope = item
                    for depth, axis in enumerate(self.reduced):
                        scope = stack.enter_context(self._loop(f"r{depth}", emitter.size(axis.size), scope))
                        emitter.set_index(axis, f"r{depth}", frozenset({f"r{depth}"}))
                    with self._simd("l", "0", "w", parent=scope) as loop:
                        for root in self.full_roots:
                            emitter.store(root, loop)
            if self.kept_roots:
                with self._simd("l", "0", "w", parent=item) as loop:
                    for root in self.kept_roots:
                        emitter.store(root, loop)
        return Items(places(self.kept[:-1]), last.size, LANES), places(self.emitter.axes), (0, 0)

    def _reduce_column(self, group: list[Node], item: Scope) -> None:
        emitter = self.emitter
        names = {node.number: emitter.name("m") for node in group}
        partial = {node.number: emitter.name("q") if _summed(node) else names[node.number] for node in group}
        finals = {}
        for node in group:
            item.write(f"{_total_type(node)} {names[node.number]}[{LANES}];")
            if _summed(node):
                item.write(f"{compute_type(node.dtype)} {partial[node.number]}[{LANES}];")
            if _total_type(node) != compute_type(node.dtype):
                finals[node.number] = emitter.name("m")
                item.write(f"{compute_type(node.dtype)} {finals[node.number]}[{LANES}];")
        with self._simd("l", "0", "w", parent=item) as loop:
            for node in group:
                loop.write(f"{names[node.number]}[l] = {_identity(node, _total_dtype(node))};")
        with ExitStack() as stack:
            scope = item
            for depth, axis in enumerate(self.reduced):
                variable = f"r{depth}"
                emitter.set_index(axis, variable, frozenset({variable}))
                limit = emitter.size(axis.size)
                if depth == len(self.reduced) - 1 and any(map(_summed, group)):
                    scope = blocks = stack.enter_context(scope.loop(f"for (int64_t b = 0; b < {limit}; b += {BLOCK}) {{"))
                    blocks.write(f"const int64_t c = b + {BLOCK} < {limit} ? b + {BLOCK} : {limit};")
                    with self._simd("l", "0", "w", parent=blocks) as loop:
                        for node in group:
                            if _summed(node):
                                loop.write(f"{partial[node.number]}[l] = {_identity(node)};")
                    inner = scope.loop(f"for (int64_t {variable} = b; {variable} < c; ++{variable}) {{", variables=(variable,))
                    with inner as rows:
                        self._accumulate(group, partial, rows)
                    with self._simd("l", "0", "w", parent=blocks) as loop:
                        for node in group:
                            if _summed(node):
                                total = f"{names[node.number]}[l]"
                                loop.write(
                                    f"{total} = {combine(node.attributes[0], FLOAT64, total, partial[node.number] + '[l]')};"
                                )
                else:
                    scope = stack.enter_context(self._loop(variable, limit, scope))
                    if depth == len(self.reduced) - 1:
                        self._accumulate(group, partial, scope)
        if finals:
            with self._simd("l", "0", "w", parent=item) as loop:
                for number, final in finals.items():
                    loop.write(f"{final}[l] = {names[number]}[l];")
        for node in group:
            emitter.results[node.number] = f"{finals.get(node.number, names[node.number])}[l]"

    def _accumulate(self, group: list[Node], names: dict[int, str], rows: Scope) -> None:
        with self._simd("l", "0", "w", parent=rows) as loop:
            for node in group:
                operand = node.inputs[0]
                found = self.emitter.value(operand, self.emitter.everywhere(operand), loop)
                name = f"{names[node.number]}[l]"
                loop.write(f"{name} = {combine(node.attributes[0], node.dtype, name, found)};")

    def _tabled(self, node: Node, index: tuple[Ix, ...], key: Any, scope: Scope) -> str | None:
        """What depends on the column alone, asked for in the loop over rows: computed once, in a table."""
        variables = frozenset().union(*(i.variables for i in index))
        in_rows = "r0" in scope.variables
        if not in_rows or "l" not in variables or any(v.startswith("r") for v in variables) or _depth(node, self.emitter) < 3:
            return None
        known = self.item.known.get(("table", key))
        if known is None:
            known = self.emitter.name("t")
            with self._simd("l", "0", "w", parent=self.item) as loop:
                found = self.emitter.value(node, index, loop)
                loop.write(f"{known}[l] = {found};")
            self.item.lines.insert(-1, f"{compute_type(node.dtype)} {known}[{LANES}];")
            self.item.known["table", key] = known
        return f"{known}[l]"

    # Full reductions -------------------------------------------------------------------------------------------------

    def _full(self) -> Source:
        emitter = self.emitter
        axes = self.reduced
        (group,) = self.passes
        flat = len(axes) == 1
        with self.body.loop("for (int64_t i = begin; i < end; ++i) {", variables=("i",)) as item:
            if flat:
                size = emitter.size(axes[0].size)
                item.write(f"const int64_t e = i * {PART} + {PART} < {size} ? i * {PART} + {PART} : {size};")
                self._reduce_row(group, item, axes, f"i * {PART}", "e", self.full_roots)
            else:
                self._decompose(axes[:-1], "i", item)
                self._reduce_row(group, item, axes[-1:], beside=self.full_roots)
            for k, node in enumerate(group):
                self.extra.append((f"z{k}", _partial_dtype(node)))
                item.write(f"z{k}[i] = {self.totals[node.number]};")
        names = [name for name, _ in self.extra]
        items = Items(1, axes[0].size, PART) if flat else Items(places(axes[:-1]))
        first, function = self._function(f"{self.name}_parts", items, places(axes), partial=names)
        # The second function: one item, which combines the parts and computes what depends on the totals.
        self.emitter = emitter = Emitter(self.kernel, emitter.stored, emitter.strided)
        self.body = body = Scope()
        count = f"(({emitter.size(axes[0].size)} + {PART - 1}) / {PART})" if flat else emitter.size(places(axes[:-1]))
        totals = []
        for k, node in enumerate(group):
            totals.append(emitter.name("m"))
            body.write(f"{_total_type(node)} {totals[k]} = {_identity(node, _total_dtype(node))};")
        with body.loop(f"for (int64_t i = 0; i < {count}; ++i) {{") as loop:
            for k, node in enumerate(group):
                loop.write(f"{totals[k]} = {combine(node.attributes[0], _total_dtype(node), totals[k], f'z{k}[i]')};")
        for k, node in enumerate(group):
            final = emitter.name("m")
            body.write(f"const {compute_type(node.dtype)} {final} = ({compute_type(node.dtype)}){totals[k]};")
            emitter.results[node.number] = final
        for root in self.kept_roots:
            emitter.store(root, body)
        second, finish = self._function(self.name, Items(1), 1, partial=names, final=True)
        return Source(f"{first}\n{second}", [function, finish], [(dtype, items) for _, dtype in self.extra])

    # Loops -----------------------------------------------------------------------------------------------------------

    def _simd(self, variable: str, begin: str, end: str, parent: Scope | None = None, clauses: str = "") -> Any:
        return vector_loop(self.body if parent is None else parent, variable, begin, end, clauses)

    def _loop(self, variable: str, end: str, parent: Scope) -> Any:
        return parent.loop(f"for (int64_t {variable} = 0; {variable} < {end}; ++{variable}) {{", variables=(variable,))

    def _decompose(self, axes: Sequence[Axis], variable: str, scope: Scope) -> None:
        """The places on several axes from the number of an item."""
        if len(axes) == 1:
            self.emitter.set_index(axes[0], variable, frozenset({"i"}))
            return
        left = variable
        for k in range(len(axes) - 1, -1, -1):
            name = f"{variable}{k}"
            size = self.emitter.size(axes[k].size)
            scope.write(f"const int64_t {name} = {left}" + (f" % {size};" if k else ";"))
            if k:
                scope.write(f"const int64_t {name}_ = {left} / {size};")
                left = f"{name}_"
            self.emitter.set_index(axes[k], name, frozenset({"i"}))


def _summed(node: Node) -> bool:
    """Whether a reduction adds floating-point numbers, which is done in stretches."""
    return node.attributes[0] == "sum" and node.dtype.kind not in "biu"


def _multiplied(node: Node) -> bool:
    """Whether a reduction multiplies floating-point numbers, which is done one after the other."""
    return node.attributes[0] == "prod" and node.dtype.kind not in "biu"


def _extreme(node: Node) -> bool:
    """Whether a reduction is the largest or smallest of floating-point numbers, or nan."""
    return node.attributes[0] in ("max", "min") and node.dtype.kind not in "biu"


def _total_dtype(node: Node) -> DType:
    """The dtype in which a reduction of many elements is computed."""
    return FLOAT64 if _summed(node) or _multiplied(node) else node.dtype


def _total_type(node: Node) -> str:
    return compute_type(_total_dtype(node))


def _identity(node: Node, dtype: DType | None = None) -> str:
    return identity(node.attributes[0], dtype or node.dtype)


def _partial_dtype(node: Node) -> DType:
    """The dtype of partial results in memory: one that holds what they are combined in."""
    if node.dtype.kind == "f" and node.dtype.itemsize == 2:
        return FLOAT64
    return _total_dtype(node)


def _clause(node: Node) -> str:
    """The operator of an OpenMP reduction clause."""
    kind = node.attributes[0]
    if node.dtype.kind == "b":
        return "|" if kind in ("any", "max") else "&"
    return {"sum": "+", "prod": "*", "any": "|", "all": "&"}.get(kind, kind)


def _depth(node: Node, emitter: Emitter, axes: int = 0) -> int:
    """What recomputing a value costs, about, in additions, down to what is read from memory or has fewer than `axes` axes."""
    total = 0
    waiting, seen = [node], set()
    while waiting and total < 64:
        x = waiting.pop()
        if x.number in seen or emitter.loaded(x) or x.op in ("reduce", "constant", "scalar", "input"):
            continue
        if sum(not same(n, 1) for n in x.shape) < axes:
            continue
        seen.add(x.number)
        total += cost(x)
        waiting += x.inputs
    return total
