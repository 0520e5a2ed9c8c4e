"""Text of C: arrays, constants and comments, the same bytes for the same values on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_C_TYPES = {
    np.dtype(np.int8): "int8_t",
    np.dtype(np.uint8): "uint8_t",
    np.dtype(np.int16): "int16_t",
    np.dtype(np.uint16): "uint16_t",
    np.dtype(np.int32): "int32_t",
    np.dtype(np.uint32): "uint32_t",
    np.dtype(np.float32): "float",
}
_WIDTH = 110


def float_literal(value: float) -> str:
    """Return a float32 as C99 writes it exactly: hexadecimal, with the suffix f."""
    exact = np.float32(value)
    if not np.isfinite(exact):
        raise ValueError(f"{exact} has no literal in C99")
    return f"{float(exact).hex()}f"


def array(name: str, values: NDArray[np.generic], *, comment: str = "", linkage: str = "static ") -> str:
    """Return the definition of a constant array, flat, in C order.

    Parameters
    ----------
    name : str
        Of the array.
    values : ndarray
        int8, uint8, int16, uint16, int32, uint32 or float32.
    comment : str
        A line above it.
    linkage : str
        "static " or "".

    Raises
    ------
    TypeError
        If C99 has no such type.
    """
    if values.dtype not in _C_TYPES:
        raise TypeError(f"no C type for {values.dtype}")
    flat = values.ravel().tolist()
    texts = [float_literal(v) if values.dtype == np.float32 else _integer(v) for v in flat]
    head = f"/* {comment} */\n" if comment else ""
    return f"{head}{linkage}const {_C_TYPES[values.dtype]} {name}[{len(flat)}] = {{\n{_wrapped(texts)}}};\n"


def _integer(number: int) -> str:
    # -2147483648 is two tokens in C, and the second does not fit into an int.
    return "(-2147483647 - 1)" if number == -(1 << 31) else f"{number}{'u' if number > 0x7FFFFFFF else ''}"


def _wrapped(texts: Iterable[str]) -> str:
    lines: list[str] = []
    line = "   "
    for text in texts:
        if len(line) + len(text) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {text},"
    return "\n".join([*lines, line, ""]) if line.strip() else "\n".join([*lines, ""])


def header(guard: str, body: Sequence[str]) -> str:
    """Return a header file: include guard and parts, one blank line between them."""
    return f"#ifndef {guard}\n#define {guard}\n\n" + "\n".join(body) + f"\n#endif /* {guard} */\n"
