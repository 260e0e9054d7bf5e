"""YAML into a checked recipe: every mistake becomes one line that names the key, the value, what is allowed and the line.

Receives the text of a recipe; hands on plain values with absolute paths, or a `RecipeError`.
"""

from __future__ import annotations

import difflib
import glob
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from landweave.errors import RecipeError

__all__ = ["describe_errors", "find_missing", "load_yaml", "resolve_paths"]

Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without its timestamps: dates stay text, which the options read themselves."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    """Read a YAML mapping and the line on which each of its keys stands.

    Returns:
        The values, and location (keys and list positions from the top) -> line number from 1.

    Raises:
        RecipeError: If the file is missing, is not YAML or not a mapping, or holds a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        raise RecipeError(f"recipe {path} does not exist") from err
    except (IsADirectoryError, UnicodeDecodeError) as err:
        raise RecipeError(f"{path} is not a recipe: expected a YAML text file") from err
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Location, int] = dict(_lines(node, (), path)) if node else {}
        values = loader.construct_document(node) if node else None
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{where} is not YAML: {getattr(err, 'problem', err)}") from err
    if not isinstance(values, dict):
        raise RecipeError(f"{path} holds {type(values).__name__}, expected a mapping of keys such as `imagery:` and `samples:`")
    return values, lines


def _lines(node: yaml.Node, at: Location, path: Path) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise RecipeError(f"{path} line {line}: key {key.value!r} stands twice (first in line {seen[key.value]})")
            seen[key.value] = line
            yield (*at, key.value), line
            yield from _lines(value, (*at, key.value), path)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield (*at, i), item.start_mark.line + 1
            yield from _lines(item, (*at, i), path)


def resolve_paths(values: dict[str, Any], base: Path, keys: Mapping[tuple[str, ...], bool]) -> dict[str, Any]:
    """Make relative paths absolute against the recipe's folder.

    Args:
        values: The recipe as read; not changed.
        base: The recipe's folder.
        keys: Location of each path ("*" stands for any key) -> True where a list of paths may stand.

    Returns:
        A copy with absolute paths.
    """

    def absolute(value: Any) -> Any:
        if isinstance(value, list):
            return [absolute(v) for v in value]
        if not isinstance(value, str) or value.startswith("/vsi") or "://" in value:
            return value
        path = Path(value).expanduser()
        return str(path if path.is_absolute() else Path(_normalise(base / path)))

    def walk(value: Any, at: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {k: walk(v, (*at, str(k))) for k, v in value.items()}
        for pattern, takes_list in keys.items():
            matches = len(pattern) == len(at) and all(p in ("*", a) for p, a in zip(pattern, at, strict=True))
            if matches and (takes_list or not isinstance(value, list)):
                return absolute(value)
        return value

    result: dict[str, Any] = walk(values, ())
    return result


def find_missing(
    values: Mapping[str, Any], source: Path | str, keys: Iterable[tuple[str, ...]], lines: Mapping[Location, int]
) -> list[str]:
    """Look for the files that a recipe names.

    Args:
        values: The recipe with absolute paths.
        source: The recipe's file, for the messages.
        keys: Location of each path ("*" stands for any key).
        lines: Line of each location.

    Returns:
        One line per path that leads to nothing.
    """
    told = []
    for at, value in _values_at(values, keys):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and not one.startswith("/vsi") and "://" not in one and not _leads_somewhere(one):
                line = _line_of(at, lines)
                where = f"{source} line {line}" if line else str(source)
                told.append(f"{where}: {'.'.join(map(str, at))}: {_why_missing(one)}")
    return told


def _values_at(values: Any, keys: Iterable[tuple[str, ...]], at: Location = ()) -> Iterator[tuple[Location, Any]]:
    wanted = list(keys)
    if any(len(k) == len(at) and all(p in ("*", str(a)) for p, a in zip(k, at, strict=True)) for k in wanted):
        yield at, values
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from _values_at(value, wanted, (*at, key))


def _is_glob(path: str) -> bool:
    return any(c in path for c in "*?[")


def _leads_somewhere(path: str) -> bool:
    return Path(path).exists() or (_is_glob(path) and bool(glob.glob(path, recursive=True)))  # noqa: PTH207 (the pattern is absolute)


def _why_missing(path: str) -> str:
    if _is_glob(path):
        return f"no file matches {path}"
    parent = next(p for p in Path(path).parents if p.exists())
    near = (
        difflib.get_close_matches(Path(path).name, [p.name for p in parent.iterdir()], n=1)
        if parent == Path(path).parent
        else []
    )
    hint = f"; did you mean {near[0]!r}?" if near else f" (the nearest folder that exists is {parent})"
    return f"{path} does not exist{hint}"


def _normalise(path: Path) -> str:
    """Remove `.` and `..` without following links and without touching the signs of a glob."""
    import os.path

    return os.path.normpath(path)


def describe_errors(err: ValidationError, model: type[BaseModel], path: Path | str, lines: Mapping[Location, int]) -> str:
    """Turn pydantic's errors into one line each: file, line, key, value, what is allowed."""
    told: dict[str, None] = {}
    for error in err.errors():
        keys = _real_keys(error["loc"], lines)
        line = _line_of(keys, lines)
        where = f"{path} line {line}" if line else str(path)
        told[f"{where}: {_explain(error, keys, model)}"] = None
    return "\n".join(told)


def _real_keys(loc: Location, lines: Mapping[Location, int]) -> Location:
    """Drop the parts that pydantic adds for members of a union, which no key of the file is called."""
    kept: Location = ()
    for i, part in enumerate(loc):
        if i == len(loc) - 1 or (*kept, part) in lines or not kept:
            is_tag = isinstance(part, str) and i > 0 and (*kept, part) not in lines and any(c in part for c in "[]-,")
            kept = kept if is_tag else (*kept, part)
    return kept


def _line_of(keys: Location, lines: Mapping[Location, int]) -> int | None:
    while keys:
        if keys in lines:
            return lines[keys]
        keys = keys[:-1]
    return None


def _explain(error: Any, keys: Location, model: type[BaseModel]) -> str:
    name = ".".join(str(k) for k in keys)
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        known = _known_keys(model, keys[:-1])
        near = difflib.get_close_matches(str(keys[-1]), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown key {name!r}{hint} (known: {', '.join(known)})"
    if kind == "missing":
        return f"key {name!r} is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
    return f"{name}: {message}" + ("" if shown in message or isinstance(value, dict) else f" (got {shown})")


def _known_keys(model: type[BaseModel], keys: Location) -> list[str]:
    current: Any = model
    for key in keys:
        models = _models_in(current)
        if isinstance(key, str) and any(key in m.model_fields for m in models):
            current = next(m.model_fields[key].annotation for m in models if key in m.model_fields)
        # otherwise the key is one of a dictionary or a position in a list, whose models are already in `current`
    return sorted({name for m in _models_in(current) for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in typing.get_args(annotation) for m in _models_in(arg)]
