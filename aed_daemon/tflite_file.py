"""Whether a .tflite is whole, read from its bytes alone, before a runtime is let at it.

tflite-runtime follows the offsets in a file wherever they lead: one that is cut short ends the process. And
no runtime expects an operator to take a tensor that nothing made. So everything that a runtime reads of the
file is looked at here: it lies inside, numbers name what exists, constants have the size of their shapes, and
each operator works on what there is by then.

Source: https://github.com/tensorflow/tensorflow/blob/v2.14.0/tensorflow/lite/schema/schema.fbs, for the
numbers of fields, types and operators; https://flatbuffers.dev/internals/ for the layout.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sized
from typing import NamedTuple

from aed_daemon.errors import ModelError
from aed_daemon.tflite_operators import CONSTANT_AFTER_FIRST, OPERATORS, check_settings

_HINT = "Copy model and manifest again from where they came, or export them again with model-tools."
_MAX_ITEMS = 4_096
"""Tensors, operators or buffers. A network that this daemon runs has a few hundred."""

_MAX_DIMENSIONS = 6
_MAX_TENSOR_BYTES = 1 << 26
_TYPE_BYTES = {0: 4, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
"""float32, int32, uint8, int64, bool, int16, int8."""

_NONE = -1
"""Stands for an optional input that is not there."""


def check_tflite(data: bytes, where: str) -> None:
    """Look at a whole model.

    Parameters
    ----------
    data : bytes
        The file.
    where : str
        Its name in messages.

    Raises
    ------
    ModelError
        If anything in it leads nowhere, contradicts itself or is nothing that the daemon runs.
    """
    _Check(_Buffer(data, where)).model()


class _Buffer:
    """The bytes, by number at a place; every place is looked at first."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data, self.where = data, where

    def number(self, form: str, at: int) -> int:
        return int(self._unpacked(form, at, 1)[0])

    def array(self, form: str, at: int, count: int) -> tuple[float, ...]:
        return self._unpacked(form, at, count) if count else ()

    def _unpacked(self, form: str, at: int, count: int) -> tuple[float, ...]:
        size = struct.calcsize(form)
        if at < 0 or at + size * count > len(self._data) or at % size:
            raise self.fault(f"an offset leads to byte {at} of {len(self._data)}")
        return struct.unpack_from(f"<{count}{form}", self._data, at)

    def table(self, at: int) -> _Table:
        home = at - self.number("i", at)
        return _Table(self, at, home, self.number("H", home), self.number("H", home + 2))

    def fault(self, what: str, *, expected: str | None = None, got: str | None = None) -> ModelError:
        return ModelError(
            f"the model is damaged ({what})", where=self.where, expected=expected, got=got, hint=_HINT
        )


class _Vector(NamedTuple):
    """Where a vector's elements begin, and how many there are."""

    at: int
    length: int


class _Table:
    """A table of a flatbuffer: fields by number, each perhaps absent."""

    def __init__(self, buffer: _Buffer, at: int, home: int, home_bytes: int, own_bytes: int) -> None:
        self._buffer, self._at, self._home = buffer, at, home
        self._own_bytes = own_bytes
        if home_bytes < 4 or home_bytes % 2 or own_bytes < 4:
            raise buffer.fault(f"the table at byte {at} has no layout")
        buffer.number("B", home + home_bytes - 1)
        buffer.number("B", at + own_bytes - 1)
        self.fields = (home_bytes - 4) // 2

    def place(self, field: int, size: int = 1) -> int | None:
        """Return where a field is; None if it is absent."""
        if field >= self.fields:
            return None
        inside = self._buffer.number("H", self._home + 4 + 2 * field)
        if inside == 0:
            return None
        if inside < 4 or inside + size > self._own_bytes:
            raise self._buffer.fault(f"field {field} of the table at byte {self._at} lies outside")
        return self._at + inside

    def number(self, field: int, form: str, default: int = 0) -> int:
        at = self.place(field, struct.calcsize(form))
        return default if at is None else self._buffer.number(form, at)

    def _target(self, field: int) -> int | None:
        at = self.place(field, 4)
        return None if at is None else at + self._buffer.number("I", at)

    def table(self, field: int) -> _Table | None:
        at = self._target(field)
        return None if at is None else self._buffer.table(at)

    def vector(self, field: int, element: str) -> _Vector:
        """Return a vector; one of no elements if it is absent."""
        at = self._target(field)
        if at is None:
            return _Vector(0, 0)
        count = self._buffer.number("I", at)
        if count:
            self._buffer.array(element, at + 4, 1)
            self._buffer.number("B", at + 4 + count * struct.calcsize(element) - 1)
        return _Vector(at + 4, count)

    def numbers(self, field: int, form: str, most: int = _MAX_ITEMS) -> tuple[float, ...]:
        at, count = self.vector(field, form)
        if count > most:
            raise self._buffer.fault(f"{count} numbers in one list", expected=f"at most {most}")
        return self._buffer.array(form, at, count)

    def integers(self, field: int, form: str = "i") -> tuple[int, ...]:
        return tuple(int(number) for number in self.numbers(field, form))

    def tables(self, field: int, most: int = _MAX_ITEMS) -> Iterator[_Table]:
        at, count = self.vector(field, "I")
        if count > most:
            raise self._buffer.fault(f"{count} parts of one kind", expected=f"at most {most}")
        for place in range(at, at + 4 * count, 4):
            yield self._buffer.table(place + self._buffer.number("I", place))

    def text(self, field: int) -> None:
        """Check that a text, if there is one, ends as C expects it, and is one for Python."""
        at, count = self.vector(field, "B")
        if at and self._buffer.number("B", at + count) != 0:
            raise self._buffer.fault(f"the text at byte {at} has no end")
        try:
            bytes(map(int, self._buffer.array("B", at, count))).decode()
        except UnicodeDecodeError:
            raise self._buffer.fault(f"the text at byte {at} is not UTF-8") from None


class _Tensor(NamedTuple):
    shape: tuple[int, ...]
    constant: bool


class _Check:
    """Walks everything that a runtime reads."""

    def __init__(self, buffer: _Buffer) -> None:
        self._buffer = buffer

    def model(self) -> None:
        root = self._buffer.table(self._buffer.number("I", 0))
        version = root.number(0, "I")
        if version != 3:
            raise self._buffer.fault("another version of the format", expected="3", got=str(version))
        self._codes = [self._code(code) for code in root.tables(1)]
        self._stored = [self._bytes(part) for part in root.tables(4)]
        graphs = list(root.tables(2, 64))
        if len(graphs) != 1:
            raise self._refused(f"{len(graphs)} graphs", "one")
        self._graph(graphs[0])
        root.text(3)
        for number in root.integers(5):
            self._index(number, self._stored, "buffer")
        for entry in root.tables(6):
            entry.text(0)
            self._index(entry.number(1, "I"), self._stored, "buffer")
        for signature in root.tables(7):
            for tensor in [*signature.tables(0), *signature.tables(1)]:
                tensor.text(0)
                self._index(tensor.number(1, "I"), self._tensors, "tensor")
            signature.text(2)
            self._index(signature.number(4, "I"), graphs, "graph")

    def _refused(self, got: str, expected: str) -> ModelError:
        return ModelError(
            "the daemon does not run such a model",
            where=self._buffer.where,
            expected=expected,
            got=got,
            hint="It runs small convolutional networks in eight bits, as model-tools makes them.",
        )

    def _index(self, number: int, of: Sized, kind: str) -> None:
        if not 0 <= number < len(of):
            raise self._buffer.fault(f"{kind} {number} of {len(of)} is asked for")

    def _code(self, code: _Table) -> int:
        code.text(1)
        number = max(code.number(0, "b"), code.number(3, "i"))
        if number not in OPERATORS:
            known = ", ".join(kind.name for kind in OPERATORS.values())
            raise self._refused(f"operator {number}", f"one of {known}")
        return number

    def _bytes(self, part: _Table) -> int:
        if part.number(1, "Q") > 1:
            raise self._refused("constants outside the file's tables", "constants inside")
        return part.vector(0, "B").length

    def _graph(self, graph: _Table) -> None:
        self._tensors = [self._tensor(tensor) for tensor in graph.tables(0)]
        inputs, outputs = graph.integers(1), graph.integers(2)
        for number in (*inputs, *outputs):
            self._index(number, self._tensors, "tensor")
        graph.text(4)
        there = {number for number, tensor in enumerate(self._tensors) if tensor.constant} | {*inputs}
        for place, operator in enumerate(graph.tables(3)):
            there |= self._operator(operator, place + 1, there)
        missing = sorted({*outputs} - there)
        if missing:
            raise self._buffer.fault(f"nothing makes tensor {missing[0]}, an output")

    def _tensor(self, tensor: _Table) -> _Tensor:
        shape, kind = tensor.integers(0), tensor.number(1, "b")
        if kind not in _TYPE_BYTES:
            raise self._refused(f"a tensor of type {kind}", f"one of {', '.join(map(str, _TYPE_BYTES))}")
        size = _TYPE_BYTES[kind]
        if len(shape) > _MAX_DIMENSIONS or any(n < 1 for n in shape):
            raise self._buffer.fault(f"a tensor has the shape {shape[:8]}")
        size *= math.prod(shape)
        if size > _MAX_TENSOR_BYTES:
            raise self._buffer.fault(f"a tensor of {size} bytes", expected=f"at most {_MAX_TENSOR_BYTES}")
        tensor.text(3)
        tensor.integers(7)
        if tensor.number(5, "B") or tensor.place(6) or tensor.vector(9, "I").length:
            raise self._refused("a tensor that is a variable, sparse or of variants", "plain tensors")
        self._quantization(tensor.table(4), shape)
        place = tensor.number(2, "I")
        self._index(place, self._stored, "buffer")
        stored = self._stored[place]
        if stored and stored != size:
            raise self._buffer.fault(
                "a constant does not fill its shape", expected=str(size), got=str(stored)
            )
        return _Tensor(shape, stored > 0)

    def _quantization(self, table: _Table | None, shape: tuple[int, ...]) -> None:
        if table is None:
            return
        for bounds in (0, 1):
            table.numbers(bounds, "f")
        scales, zeros = table.numbers(2, "f"), table.integers(3, "q")
        if not all(0 < scale < math.inf for scale in scales):
            raise self._buffer.fault("a scale that is not above 0")
        if len(zeros) not in (0, len(scales)) or any(not -(2**31) <= zero < 2**31 for zero in zeros):
            raise self._buffer.fault("zero points that do not belong to their scales")
        if table.number(4, "B"):
            raise self._refused("quantisation of another kind", "scales and zero points")
        axis = table.number(6, "i")
        if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
            raise self._buffer.fault(f"{len(scales)} scales along dimension {axis} of {shape}")

    def _operator(self, operator: _Table, place: int, there: set[int]) -> set[int]:
        """Check an operator, and return what it makes."""
        code = operator.number(0, "I")
        self._index(code, self._codes, "operator code")
        kind = OPERATORS[self._codes[code]]
        told = f"{kind.name}, operator {place}"
        inputs, outputs = operator.integers(1), operator.integers(2)
        fewest, most = kind.inputs
        if not fewest <= len(inputs) <= most or len(outputs) != 1:
            raise self._buffer.fault(f"{told}, takes {len(inputs)} tensors and makes {len(outputs)}")
        for position, number in enumerate(inputs):
            if number == _NONE and position >= fewest:
                continue
            self._index(number, self._tensors, "tensor")
            if number not in there:
                raise self._buffer.fault(f"{told}, takes what nothing has made")
            if position and kind.name in CONSTANT_AFTER_FIRST and not self._tensors[number].constant:
                raise self._buffer.fault(f"{told}, takes input {position} from what is heard")
        self._index(outputs[0], self._tensors, "tensor")
        if outputs[0] in there:
            raise self._buffer.fault(f"{told}, writes over what is there")
        if operator.vector(5, "B").length or operator.place(12):
            raise self._refused(f"settings of its own in {told}", "those of the format")
        if operator.vector(7, "B").length or operator.vector(8, "I").length:
            raise self._refused(f"variables in {told}", "operators without a memory")
        problem = check_settings(kind, operator.number(3, "B"), operator.table(4))
        if problem:
            raise self._buffer.fault(f"{told}: {problem}")
        return {*outputs}
