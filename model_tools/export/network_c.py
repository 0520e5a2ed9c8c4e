"""The network as C: sizes and constants in `aed_weights.h`, tables in `aed_weights.c`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_tools.export.activation import exponent, logistic
from model_tools.export.cwriter import array, header
from model_tools.export.graph import Dense, Network
from model_tools.export.layers import Layer, convolution_layer, dense_layer, refused
from model_tools.export.plan import QUEUE_ROWS, Plan, Stage
from model_tools.export.requantisation import Factor, mean_factor

SOURCES = (
    "aed_network.c",
    "aed_windows.c",
    "aed_rows.c",
    "aed_head.c",
    "aed_kernels_portable.c",
    "aed_pointwise_dsp.c",
    "aed_depthwise_dsp.c",
)
"""In `csrc/`, to be compiled with the files of `network_files`."""

_CHUNK = 16
"""Words of weights that the kernel in assembly loads at a time; a shorter rest ends at the same place."""


def network_files(plan: Plan, origin: str, dense_roundings: Literal[1, 2] = 2) -> Mapping[str, str]:
    """Return the texts of `aed_weights.h` and `aed_weights.c`, by name.

    Parameters
    ----------
    plan : Plan
        Of the network.
    origin : str
        What it was made from, for the files' first line.
    dense_roundings : {1, 2}
        Of the logits. TFLite's reference kernels round twice, as everywhere; those of LiteRT 2.3 once,
        which is one step more or less for one logit in 4,000.

    Raises
    ------
    ModelError
        If a number does not fit into the C sources' types.
    """
    network = plan.network
    layers = {c.name: convolution_layer(c) for c in network.convolutions}
    tables = [_stage_tables(number, stage, layers) for number, stage in enumerate(plan.stages)]
    first = f"/* {f'Network, from {origin}'.replace('*/', '* /')} */\n"
    body = [
        *tables,
        _stage_list(plan),
        *([_edge_list(plan)] if plan.mode == "incremental" else []),
        _dense_tables(network.dense),
        *([_logistic_table(network)] if network.activation == "sigmoid" else []),
    ]
    roomy = all(layer.roomy for layer in layers.values())
    return {
        "aed_weights.h": first + _sizes(plan, roomy, dense_roundings),
        "aed_weights.c": first + '#include "aed_stages.h"\n\n' + "\n".join(body),
    }


def _stage_tables(number: int, stage: Stage, layers: Mapping[str, Layer]) -> str:
    producer = layers[stage.producer.name]
    kernel = producer.sums.kernel
    padded = np.zeros((len(kernel), stage.taps), np.int64)
    padded[:, : kernel.shape[1]] = kernel
    # Words of two outputs and two inputs; see `aed_stages.h`.
    halves = padded[0::2] + 256 * padded[1::2]
    words = (halves[:, 0::2] & 0xFFFF) | (halves[:, 1::2] & 0xFFFF) << 16
    front = np.zeros(_front(stage), np.int64)
    name = f"stage{number}"
    parts = [
        array(f"{name}_kernel", np.append(front, words).astype(np.uint32), comment=stage.producer.name),
        *_channels(name, producer),
    ]
    if stage.consumer:
        consumer = layers[stage.consumer.name]
        # The kernel in assembly reads one byte more than there is.
        weights = np.append(consumer.sums.kernel.ravel(), 0).astype(np.int8)
        parts += [
            array(f"{name}_depthwise_kernel", weights, comment=stage.consumer.name),
            *_channels(f"{name}_depthwise", consumer),
        ]
    return "\n".join(parts)


def _front(stage: Stage) -> int:
    """Return the words before the first that are there to be loaded, and not used."""
    return -(stage.taps // 2) % _CHUNK


def _channels(name: str, layer: Layer) -> Sequence[str]:
    return _pairs(f"{name}_channels", layer.sums.bias, layer.factors), _shifts(
        f"{name}_shifts", layer.factors
    )


def _pairs(name: str, bias: NDArray[np.int64], factors: Sequence[Factor], linkage: str = "static ") -> str:
    rows = "".join(f"    {{{b}, {by.multiplier}}},\n" for b, by in zip(bias, factors, strict=True))
    return f"{linkage}const struct aed_channel {name}[{len(factors)}] = {{\n{rows}}};\n"


def _shifts(name: str, factors: Sequence[Factor], linkage: str = "static ") -> str:
    return array(name, np.array([by.shift for by in factors], np.uint8), linkage=linkage)


def _stage_list(plan: Plan) -> str:
    rows, ring = [], 0
    for number, stage in enumerate(plan.stages):
        name = f"stage{number}"
        tables = [f"{name}_kernel + {_front(stage)}", f"{name}_channels", f"{name}_shifts"]
        if stage.consumer:
            tables += [f"{name}_depthwise_{table}" for table in ("kernel", "channels", "shifts")]
        else:
            tables += ["0"] * 3
        stride = stage.consumer.stride if stage.consumer else 1
        numbers = (stage.taps // 2, stage.channels // 2, stage.columns, stage.rows, ring // 4, stride)
        rows.append(f"    {{{', '.join([*tables, *map(str, numbers)])}}},\n")
        ring += stage.ring_bytes
    return f"const struct aed_stage aed_stages[AED_STAGES] = {{\n{''.join(rows)}}};\n"


def _edge_list(plan: Plan) -> str:
    rows, first = [], 0
    for edge in plan.edges:
        rows.append(f"    {{{first // 4}, {edge.rows}, {edge.patches}}},\n")
        first += edge.bytes
    return f"const struct aed_edge aed_edges[AED_STAGES] = {{\n{''.join(rows)}}};\n"


def _row_cycle(plan: Plan) -> int:
    """Return a number of rows after which row numbers may repeat.

    Everything divides it that the C sources divide a row's number by.
    """
    cycle = math.lcm(2, plan.stages[-1].rows)
    if plan.mode == "incremental":
        for stage, edge in zip(plan.stages, plan.edges, strict=True):
            cycle = math.lcm(cycle, plan.hop_rows(stage) * math.lcm(plan.patches, edge.patches))
    return cycle * -(-plan.stages[0].rows // cycle)


def _dense_tables(dense: Dense) -> str:
    layer = dense_layer(dense)
    return "\n".join(
        [
            array("aed_dense_kernel", dense.weights.kernel, comment=dense.name, linkage=""),
            _pairs("aed_dense_channels", layer.sums.bias, layer.factors, ""),
            _shifts("aed_dense_shifts", layer.factors, ""),
        ]
    )


def _logistic_table(network: Network) -> str:
    logits = network.dense.output
    return array("aed_logistic", logistic(logits.scale, logits.zero_point), linkage="")


def _sizes(plan: Plan, roomy: bool, dense_roundings: int) -> str:
    network = plan.network
    entry, embedding = network.mean
    try:
        mean = mean_factor(entry.scale, embedding.scale, entry.rows * entry.columns)
    except ValueError as error:
        raise refused(f"{error} in the mean", "below 1") from None
    if (network.output.scale, network.output.zero_point) != (1 / 256, -128):
        raise refused(f"scores in steps of {network.output.scale:g}", "1/256 from -128, as TFLite has them")
    if network.output.channels > 255:
        raise refused(f"{network.output.channels} classes", "at most 255")
    softmax = network.activation == "softmax"
    sizes = {
        "STREAM": int(plan.mode == "stream"),
        "INCREMENTAL": int(plan.mode == "incremental"),
        "MELS": network.input.columns,
        "PATCH_FRAMES": network.input.rows,
        "CLASSES": network.output.channels,
        "SIGMOID": int(not softmax),
        "STAGES": len(plan.stages),
        "EMBEDDING": entry.channels,
        "COLUMNS": max(stage.columns for stage in plan.stages),
        "POOLED_ROWS": entry.rows,
        "RING_WORDS": plan.ring_bytes // 4,
        "SCRATCH_WORDS": plan.scratch_bytes // 4,
        "SUMS": plan.sums,
        "QUEUE_ROWS": QUEUE_ROWS[plan.mode],
        "ROW_CYCLE": _row_cycle(plan),
        "INPUT_PADDING": network.input.zero_point + 128,
        "MEAN_MULTIPLIER": mean.multiplier,
        "MEAN_SHIFT": mean.shift,
        "MEAN_ZERO_POINT": f"({embedding.zero_point})",
        "DENSE_ROUNDINGS": dense_roundings,
        "LOGIT_ZERO_POINT": f"({network.dense.output.zero_point})",
        "ROOMY": int(roomy),
    }
    if softmax:
        power = exponent(network.dense.output.scale)
        sizes |= {f"EXPONENT_{name.upper()}": value for name, value in power._asdict().items()}
    if plan.mode == "incremental":
        sizes |= {
            "HOP_ROWS": plan.hop_frames,
            "EDGE_WORDS": sum(edge.bytes for edge in plan.edges) // 4,
            "FIRST_COMMON": plan.common_rows[0],
            "END_COMMON": plan.common_rows[1],
        }
    defines = "".join(f"#define AED_{name} {value}\n" for name, value in sizes.items())
    return header("AED_WEIGHTS_H", [defines])
