"""The operators that a model may hold, and what their settings may be.

Those of small convolutional networks in eight bits. None of them keeps anything between patches, starts
another graph or calls code from elsewhere.

Source: https://github.com/tensorflow/tensorflow/blob/v2.14.0/tensorflow/lite/schema/schema.fbs
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

_MOST = 1_024
"""Of a stride, a dilation or the side of a filter; a patch has 96 frames."""


class Operator(NamedTuple):
    """What an operator takes.

    Attributes
    ----------
    name : str
        As TensorFlow Lite's schema has it.
    inputs : (int, int)
        Fewest and most inputs; those beyond the fewest may be absent.
    settings : int
        Number of its settings in the schema's union; 0: it has none.
    positive : tuple of (int, str)
        Fields of the settings that count from 1, with their types.
    """

    name: str
    inputs: tuple[int, int]
    settings: int = 0
    positive: tuple[tuple[int, str], ...] = ()


_STRIDES = ((1, "i"), (2, "i"))
_FILTER = ((3, "i"), (4, "i"))

OPERATORS = {
    0: Operator("ADD", (2, 2), 11),
    1: Operator("AVERAGE_POOL_2D", (1, 1), 5, (*_STRIDES, *_FILTER)),
    2: Operator("CONCATENATION", (1, 64), 10),
    3: Operator("CONV_2D", (2, 3), 1, (*_STRIDES, (4, "i"), (5, "i"))),
    4: Operator("DEPTHWISE_CONV_2D", (2, 3), 2, (*_STRIDES, (3, "i"), (5, "i"), (6, "i"))),
    6: Operator("DEQUANTIZE", (1, 1), 38),
    9: Operator("FULLY_CONNECTED", (2, 3), 8),
    14: Operator("LOGISTIC", (1, 1)),
    17: Operator("MAX_POOL_2D", (1, 1), 5, (*_STRIDES, *_FILTER)),
    18: Operator("MUL", (2, 2), 21),
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


_DILATIONS = {("CONV_2D", 4), ("CONV_2D", 5), ("DEPTHWISE_CONV_2D", 5), ("DEPTHWISE_CONV_2D", 6)}
"""Fields whose default is 1; that of all others is 0."""


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
        # A runtime then takes zeros: strides and filters of zero, too.
        return "its settings are missing" if operator.positive else None
    if operator.settings and kind != operator.settings:
        return f"settings of kind {kind} are another operator's"
    for field in range(settings.fields):
        settings.place(field)
    for field, form in operator.positive:
        default = 1 if (operator.name, field) in _DILATIONS else 0
        if not 1 <= (value := settings.number(field, form, default)) <= _MOST:
            return f"setting {field} is {value}, not from 1 to {_MOST}"
    if operator.name == "RESHAPE":
        settings.numbers(0, "i", 8)
    return None
