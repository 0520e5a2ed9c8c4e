"""The configuration's models seen as a schema: which keys there are, and what each takes, in words."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from aed_daemon.config import Config
from aed_daemon.config_types import KeyPath, Section

_INNER: dict[str, KeyPath] = {"table": (), "array": (0,), "map": ("NAME",)}
_NAMES = {str: "string", int: "integer", float: "number", bool: "true or false", Path: "path"}


@dataclass(frozen=True)
class Key:
    """A key of the configuration.

    Attributes
    ----------
    name : str
        As it is written.
    takes : str
        Type and range, in words.
    default : Any
        What holds where it is unset; meaningless where `required`.
    required : bool
        Whether it must be there.
    description : str
        What it means.
    models : tuple
        The sections that its value may be; empty for a plain value.
    container : "table" | "array" | "map"
        For sections: one table, an array of tables, or tables by free names.
    text_only : bool
        Whether it takes text and nothing else.
    """

    name: str
    takes: str
    default: Any
    required: bool
    description: str
    models: tuple[type[Section], ...]
    container: Literal["table", "array", "map"]
    text_only: bool


def keys_of(model: type[Section]) -> dict[str, Key]:
    """Return the keys of a section, in the order of its definition."""
    return {name: _key(name, field) for name, field in model.model_fields.items()}


def kind_of(model: type[Section]) -> str | None:
    """Return the value of `type` that selects this section, or None where there is no choice."""
    field = model.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field is not None else None


def sections(model: type[Section] = Config, path: KeyPath = ()) -> Iterator[tuple[KeyPath, type[Section]]]:
    """Yield every section, depth first; arrays count as position 0, free names as "NAME"."""
    yield path, model
    for key in keys_of(model).values():
        inner = _INNER[key.container]
        for child in key.models:
            yield from sections(child, (*path, key.name, *inner))


def section_at(path: KeyPath, data: Any) -> type[Section] | None:
    """Return the section that a path leads to, given the data that it leads through; None if none does.

    Parameters
    ----------
    path : KeyPath
        Path of a table.
    data : Any
        The parsed document; it says which kind of source a table is.
    """
    model: type[Section] = Config
    rest = list(path)
    while rest:
        name = rest.pop(0)
        data = _step(data, name)
        key = keys_of(model).get(str(name))
        if key is None or not key.models:
            return None
        if key.container != "table":
            if not rest:
                return None
            data = _step(data, rest.pop(0))
        kind = data.get("type") if isinstance(data, dict) else None
        chosen = [child for child in key.models if len(key.models) == 1 or kind_of(child) == kind]
        if not chosen:
            return None
        model = chosen[0]
    return model


def key_at(path: KeyPath, data: Any) -> Key | None:
    """Return the key at a path, or None for a path that the schema does not know."""
    section = section_at(path[:-1], data) if path else None
    return keys_of(section).get(str(path[-1])) if section is not None else None


def _step(data: Any, name: str | int) -> Any:
    if isinstance(data, list) and isinstance(name, int) and name < len(data):
        return data[name]
    return data.get(name) if isinstance(data, dict) else None


def _key(name: str, field: FieldInfo) -> Key:
    takes = _words(field.annotation, list(field.metadata))
    models = tuple(dict.fromkeys(_models(field.annotation)))
    origin = get_origin(field.annotation)
    container: Literal["table", "array", "map"] = "table"
    if models and origin in (list, dict):
        container = "array" if origin is list else "map"
    default = None if field.is_required() else field.get_default(call_default_factory=False)
    if default is PydanticUndefined:
        default = None
    text_only = _leaves(field.annotation) <= {str, Path}
    return Key(
        name, takes, default, field.is_required(), field.description or "", models, container, text_only
    )


def _models(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _leaves(annotation: Any) -> set[Any]:
    """Return the types of the values that an annotation stands for, None apart."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _leaves(arguments[0])
    if origin is Literal:
        return {type(argument) for argument in arguments}
    if origin in (Union, types.UnionType):
        return set().union(*(_leaves(argument) for argument in arguments)) - {type(None)}
    return {annotation}


def _words(annotation: Any, metadata: list[Any]) -> str:
    """Return a type in words, such as 'integer, 1 to 16'."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, types.UnionType):
        plain = [argument for argument in arguments if argument is not type(None)]
        if all(_is_section(argument) for argument in plain):
            return "table"
        return " or ".join(_words(argument, metadata) for argument in plain)
    if origin is Literal:
        return _choice([f'"{argument}"' for argument in arguments])
    if origin is list:
        if _is_section(arguments[0]) or any(True for _ in _models(arguments[0])):
            return "array of tables"
        return f"array, each: {_words(arguments[0], [])}"
    if origin is dict or _is_section(annotation):
        return "table"
    name = _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return f"{name}{_bounds(annotation, metadata)}"


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _choice(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + f" or {texts[-1]}"


def _bounds(annotation: Any, metadata: list[Any]) -> str:
    bounds: dict[str, Any] = {}
    for item in metadata:
        for constraint in getattr(item, "metadata", None) or [item]:
            for name in ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern"):
                value = getattr(constraint, name, None)
                if value is not None:
                    bounds[name] = value
    if annotation is str:
        return _length(bounds)
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        return (
            f", over {_number(low)}, at most {_number(high)}"
            if "gt" in bounds
            else (f", {_number(low)} to {_number(high)}")
        )
    if low is not None:
        return f", over {_number(low)}" if "gt" in bounds else f", at least {_number(low)}"
    return f", at most {_number(high)}" if high is not None else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _length(bounds: dict[str, Any]) -> str:
    text = ""
    if "max_length" in bounds:
        text = f" of {bounds.get('min_length', 0)} to {bounds['max_length']} characters"
    elif "min_length" in bounds:
        text = f" of at least {bounds['min_length']} characters"
    return f"{text} like {bounds['pattern']}" if "pattern" in bounds else text
