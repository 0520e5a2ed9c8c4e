"""The operators that a model may hold, and what their settings may be.

Those of small convolutional networks in eight bits. None of them keeps anything between patches, starts
another graph or calls code from elsewhere.

Source: https://github.com/tensorflow/tensorflow/blob/v2.14.0/tensorflow/lite/schema/schema.fbs
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

_MOST = 1_024
"""Of a stride, a dilation or the side of a filter; a patch has 96 frames."""


class Limit(NamedTuple):
    """What a field of an operator's settings may be.

    Attributes
    ----------
    field : int
        Its number.
    form : str
        Its type, as `struct` names it.
    least, most : int
        Both may be.
    default : int
        Where it is absent.
    """

    field: int
    form: str
    least: int
    most: int
    default: int = 0


class Operator(NamedTuple):
    """What an operator takes.

    Attributes
    ----------
    name : str
        As TensorFlow Lite's schema has it.
    inputs : (int, int)
        Fewest and most inputs. A layer has its bias: tflite-runtime reads one whether it is there or not.
    settings : int
        Number of its settings in the schema's union; 0: it has none.
    limits : tuple of Limit
        Fields of the settings that a runtime does not look at itself before it divides by them.
    """

    name: str
    inputs: tuple[int, int]
    settings: int = 0
    limits: tuple[Limit, ...] = ()


def _sizes(*fields: int, default: int = 0) -> tuple[Limit, ...]:
    return tuple(Limit(field, "i", 1, _MOST, default) for field in fields)


def _activation(field: int) -> Limit:
    """Return the limit of a fused activation: none, or one of three kinds of ReLU."""
    return Limit(field, "b", 0, 3)


_PADDING = Limit(0, "b", 0, 1)
_POOL = (_PADDING, *_sizes(1, 2, 3, 4), _activation(5))

CONSTANT_AFTER_FIRST = frozenset(
    ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "RESHAPE", "PAD", "TRANSPOSE", "MEAN")
)
"""Operators whose inputs after the first are weights or say what to do: what is heard has no part in them."""

OPERATORS = {
    0: Operator("ADD", (2, 2), 11, (_activation(0),)),
    1: Operator("AVERAGE_POOL_2D", (1, 1), 5, _POOL),
    2: Operator("CONCATENATION", (1, 64), 10, (Limit(0, "i", -6, 5), _activation(1))),
    3: Operator("CONV_2D", (3, 3), 1, (_PADDING, *_sizes(1, 2), *_sizes(4, 5, default=1), _activation(3))),
    4: Operator(
        "DEPTHWISE_CONV_2D", (3, 3), 2, (_PADDING, *_sizes(1, 2, 3), *_sizes(5, 6, default=1), _activation(4))
    ),
    6: Operator("DEQUANTIZE", (1, 1), 38),
    9: Operator("FULLY_CONNECTED", (3, 3), 8, (_activation(0), Limit(1, "b", 0, 0))),
    14: Operator("LOGISTIC", (1, 1)),
    17: Operator("MAX_POOL_2D", (1, 1), 5, _POOL),
    18: Operator("MUL", (2, 2), 21, (_activation(0),)),
    19: Operator("RELU", (1, 1)),
    21: Operator("RELU6", (1, 1)),
    22: Operator("RESHAPE", (1, 2), 17),
    25: Operator("SOFTMAX", (1, 1), 9),
    34: Operator("PAD", (2, 2), 22),
    39: Operator("TRANSPOSE", (2, 2), 26),
    40: Operator("MEAN", (2, 2), 27),
    114: Operator("QUANTIZE", (1, 1), 89),
    117: Operator("HARD_SWISH", (1, 1), 91),
}
"""By number."""


class Settings(Protocol):
    """The settings of an operator, as `tflite_file` reads them."""

    fields: int

    def place(self, field: int, size: int = 1) -> int | None:
        """Return where a field is."""

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Return a field."""

    def numbers(self, field: int, form: str, most: int = ...) -> tuple[float, ...]:
        """Return a list."""


def check_settings(operator: Operator, kind: int, settings: Settings | None) -> str | None:
    """Return what is wrong with the settings of an operator, or None.

    Parameters
    ----------
    operator : Operator
        Which.
    kind : int
        Number of the settings that it has been given, of the schema's union.
    settings : Settings or None
        Those.
    """
    if settings is None or not kind:
        # A runtime then takes zeros, for strides too.
        return "its settings are missing" if any(limit.least > 0 for limit in operator.limits) else None
    if operator.settings and kind != operator.settings:
        return f"settings of kind {kind} are another operator's"
    for field in range(settings.fields):
        settings.place(field)
    for limit in operator.limits:
        value = settings.number(limit.field, limit.form, limit.default)
        if not limit.least <= value <= limit.most:
            return f"setting {limit.field} is {value}, not from {limit.least} to {limit.most}"
    if operator.name == "RESHAPE":
        settings.numbers(0, "i", 8)
    return None
