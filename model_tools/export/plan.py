"""How a network is walked row by row along time: which rows are kept, in how many bytes, at what cost.

A stage is a layer that makes rows and the layer that takes them: the stem or a pointwise layer, and the
depthwise layer behind it, which needs the last two rows and the one that is being made, a pair of channels
at a time. The rows of the last stage go into the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from aed_daemon.errors import ConfigError, ModelError
from model_tools.export.graph import Convolution, Network

Mode = Literal["patch", "incremental", "stream"]
"""Patches one by one; patches that overlap, whose common rows are made once; rows that belong to no patch,
and a decision for each row of the last layer."""

QUEUE_ROWS = {"patch": 4, "incremental": 8, "stream": 4}
"""Input rows that wait: three for a row of the stem, and those that come meanwhile."""

_HINT = "The networks that `model-tools train` and `quantize` make can be exported: Yamnet-256 of any width."
_BLOCK = 8
"""Columns that a depthwise kernel makes at a time."""


class Region(NamedTuple):
    """A part of the network's memory."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Stage:
    """What makes rows, and what takes them.

    Attributes
    ----------
    producer : Convolution
        The stem or a pointwise layer.
    consumer : Convolution or None
        The depthwise layer behind it; None of the last.
    """

    producer: Convolution
    consumer: Convolution | None

    @property
    def rows(self) -> int:
        """Rows of a patch."""
        return self.producer.output.rows

    @property
    def columns(self) -> int:
        """Columns of a row."""
        return self.producer.output.columns

    @property
    def channels(self) -> int:
        """Channels of a row."""
        return self.producer.output.channels

    @property
    def taps(self) -> int:
        """Factors of each sum of the producer, an even number; the stem's nine are made up to ten."""
        kernel = self.producer.weights.kernel
        return (int(kernel[0].size) + 1) // 2 * 2

    @property
    def ring_bytes(self) -> int:
        """Two rows, a byte for each value."""
        return 2 * self.columns * self.channels if self.consumer else 0

    @property
    def scratch_bytes(self) -> int:
        """The producer's input of a row, two bytes for each value."""
        return 2 * self.columns * self.taps


class Edge(NamedTuple):
    """The first rows of patches behind a stage's producer, which the padding changes.

    Attributes
    ----------
    rows : int
        Of a patch.
    patches : int
        Whose rows are kept at a time.
    bytes : int
        Of all of them; none of the last stage, whose rows are added up.
    """

    rows: int
    patches: int
    bytes: int


@dataclass(frozen=True)
class Plan:
    """The stages of a network and the memory that they need.

    Attributes
    ----------
    network : Network
        What is walked.
    mode : {"patch", "incremental", "stream"}
        Where the walk begins and ends.
    stages : tuple of Stage
        In order.
    hop_frames : int
        From patch to patch; a multiple of `row_frames` in incremental mode, of no use in stream mode.
    """

    network: Network
    mode: Mode
    stages: tuple[Stage, ...]
    hop_frames: int

    @property
    def row_frames(self) -> int:
        """Frames from one row of the last layer to the next: from decision to decision in stream mode."""
        return self.network.input.rows // self.stages[-1].rows

    def hop_rows(self, stage: Stage) -> int:
        """Rows of a stage from patch to patch."""
        return self.hop_frames * stage.rows // self.network.input.rows

    @property
    def scratch_bytes(self) -> int:
        """The inputs of two stages that follow each other: one is read while the other is written."""
        sizes = [stage.scratch_bytes for stage in self.stages]
        return max(a + b for a, b in zip(sizes, [*sizes[1:], 0], strict=True))

    @property
    def ring_bytes(self) -> int:
        """The rows that all stages keep."""
        return sum(stage.ring_bytes for stage in self.stages)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What incremental mode keeps of each stage for the beginning of patches."""
        edges, rows = [], 0
        for stage, before in zip(self.stages, [None, *self.stages], strict=False):
            if before and before.consumer:
                rows = rows + 1 if before.consumer.stride == 1 else (rows + 1) // 2
            # The third row of a patch is the last for which they are needed.
            patches = -(-2 // self.hop_rows(stage))
            row_bytes = stage.columns * stage.channels if stage.consumer else 0
            edges.append(Edge(rows, patches, rows * patches * row_bytes))
        return tuple(edges)

    @property
    def end_rows(self) -> tuple[int, ...]:
        """Last rows of a patch in each stage, which the padding changes."""
        rows = [1]
        for stage in self.stages[:-1]:
            stride = stage.consumer.stride if stage.consumer else 1
            rows.append(rows[-1] + 1 if stride == 1 else rows[-1] // 2 + 1)
        return tuple(rows)

    @property
    def common_rows(self) -> tuple[int, int]:
        """Rows of the last stage that no padding changes: the first, and the first that is not."""
        return self.edges[-1].rows, self.stages[-1].rows - self.end_rows[-1]

    @property
    def patches(self) -> int:
        """Patches of which there are sums at a time in incremental mode."""
        return (self.common_rows[1] - 1) // self.hop_rows(self.stages[-1]) + 1

    @property
    def sums(self) -> int:
        """Sums over rows of the last stage: of the patch, of each patch and a row, of each row."""
        return {"patch": 1, "incremental": self.patches + 1, "stream": self.stages[-1].rows}[self.mode]

    @property
    def memory(self) -> tuple[Region, ...]:
        """What the state holds, but for some counters, in order."""
        incremental = (
            Region("rings at the end of a patch", self.ring_bytes),
            Region("first rows of patches", sum(edge.bytes for edge in self.edges)),
        )
        return (
            *(Region(f"ring of {s.producer.name}", s.ring_bytes) for s in self.stages if s.consumer),
            Region("scratch", self.scratch_bytes),
            Region("sums", 2 * self.sums * self.stages[-1].channels),
            Region("queue", QUEUE_ROWS[self.mode] * (self.network.input.columns + 4)),
            *(incremental if self.mode == "incremental" else ()),
        )

    @property
    def ram_bytes(self) -> int:
        """Bytes of `memory`."""
        return sum(region.bytes for region in self.memory)

    @property
    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of a patch by layer."""
        macs = {layer.name: layer.macs for layer in self.network.convolutions}
        return macs | {self.network.dense.name: self.network.dense.macs}

    def macs_per_decision(self) -> dict[str, float]:
        """Multiply-accumulates of a decision by layer: fewer where rows belong to several patches."""
        if self.mode == "patch":
            return dict(self.macs)
        frames = self.row_frames if self.mode == "stream" else self.hop_frames
        made: dict[str, float] = {self.network.dense.name: self.network.dense.macs}
        for number, stage in enumerate(self.stages):
            rows = frames * stage.rows / self.network.input.rows
            if self.mode == "incremental":
                rows += self.edges[number].rows + self.end_rows[number]
            before = self.stages[number - 1].consumer if number else None
            for layer in (before, stage.producer):
                if layer:
                    made[layer.name] = layer.macs * rows / stage.rows
        return {name: made[name] for name in self.macs}

    @property
    def macs_per_s(self) -> float:
        """Multiply-accumulates of a second of sound, of frames of 10 ms."""
        frames = self.row_frames if self.mode == "stream" else self.hop_frames
        return sum(self.macs_per_decision().values()) * 100 / frames

    @property
    def delay_frames(self) -> int:
        """Frames that a decision needs behind the patch of its rows: in stream mode the padding's place."""
        last = self.stages[-1].rows - 1
        for convolution in reversed(self.network.convolutions):
            last = last * convolution.stride + (
                0 if convolution.kind == "pointwise" else 2 - convolution.before[0]
            )
        return last + 1 - self.network.input.rows if self.mode == "stream" else 0

    @property
    def weights_bytes(self) -> int:
        """Weights and biases as the file has them: int8 and int32."""
        weights = [layer.weights for layer in self.network.convolutions] + [self.network.dense.weights]
        return sum(one.kernel.size + 4 * one.bias.size for one in weights)


def plan(network: Network, mode: Mode = "patch", hop_frames: int = 24) -> Plan:
    """Return the walk of a network.

    Parameters
    ----------
    hop_frames : int
        From patch to patch.

    Raises
    ------
    ModelError
        If the C sources cannot walk it: its layers, strides or sizes are not those of a Yamnet-256.
    ConfigError
        If patches cannot overlap like that.
    """
    layers = network.convolutions
    if len(layers) < 3 or len(layers) % 2 == 0:
        raise _refused(f"{len(layers)} convolutions", "a stem, and pairs of depthwise and pointwise ones")
    producers = [layers[0], *layers[2::2]]
    consumers = [*layers[1::2], None]
    if layers[0].stride != 2 or layers[0].input.channels != 1:
        raise _refused(
            f"{layers[0].input.channels} channels, stride {layers[0].stride} in {layers[0].name}", "1, 2"
        )
    for layer in layers:
        _check(layer)
    last = layers[-1].output
    if last.rows * last.columns * 255 >= 1 << 16:
        raise _refused(f"a mean over {last.rows} x {last.columns} values", "at most 257 values")
    if last != network.mean[0]:
        raise _refused("a mean with a scale of its own", "the last layer's")
    stages = tuple(Stage(p, c) for p, c in zip(producers, consumers, strict=True))
    made = Plan(network, mode, stages, hop_frames)
    if mode == "incremental":
        _check_overlap(made)
    return made


def _check_overlap(made: Plan) -> None:
    frames, most = made.row_frames, made.network.input.rows
    if made.hop_frames % frames or not 0 < made.hop_frames <= most:
        raise ConfigError(
            f"patches cannot overlap with a hop of {made.hop_frames} frames",
            where="detection",
            expected=f"a multiple of {frames} up to {most}",
            hint="Change the hop, or export in patch mode.",
        )
    for stage, edge, behind in zip(made.stages, made.edges, made.edges[1:], strict=False):
        stride = stage.consumer.stride if stage.consumer else 1
        for j in range(behind.rows):
            newest = j + 1 if stride == 1 else 2 * j + 2
            if newest > 2 or newest < edge.rows:
                raise _refused("too many rows that padding changes", "the strides of Yamnet-256")


def _check(layer: Convolution) -> None:
    """Refuse what the C sources are not written for."""
    if not layer.relu or layer.output.zero_point != -128:
        raise _refused(
            f"zero point {layer.output.zero_point} behind {layer.name}", "a ReLU, which makes it -128"
        )
    if layer.output.channels % 8 or layer.output.columns % _BLOCK:
        raise _refused(
            f"{layer.output.columns} columns of {layer.output.channels} channels behind {layer.name}",
            "multiples of 8",
        )
    padding = {("pointwise", 1): (0, 0), ("depthwise", 1): (1, 1)}.get((layer.kind, layer.stride), (0, 1))
    if any((layer.before[i], layer.after[i]) != padding for i in (0, 1)):
        raise _refused(f"an odd number of rows or columns before {layer.name}", "even numbers")


def _refused(got: str, expected: str) -> ModelError:
    return ModelError("this network cannot be walked row by row", expected=expected, got=got, hint=_HINT)
