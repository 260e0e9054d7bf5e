"""A mkdocs hook: fills the documentation's tables from the code, so that they cannot differ from it.

A page asks for a table with a comment on a line of its own: `<!-- table: recipe -->`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_MARKER = re.compile(r"^<!-- table: ([a-z]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page; mkdocs calls it for every page."""
    return _MARKER.sub(lambda match: _tables[match.group(1)](), markdown)


def recipe_table() -> str:
    """Make the reference of the recipe, a section per part."""
    from landweave.recipe import recipe_schema

    return "\n".join(_sections(json.loads(recipe_schema()), "The recipe"))


def assessment_table() -> str:
    """Make the reference of assessment.json, a section per object."""
    from landweave.assess import assessment_schema

    return "\n".join(_sections(assessment_schema(), "The document"))


def sensor_table() -> str:
    """List the sensors with their bands."""
    from landweave.sensors import list_sensors

    def bands(sensor: Any) -> str:
        names = [f"`{b.name}`" for b in sensor.bands]
        return ", ".join(names[:24]) + (f" and {len(names) - 24} more" if len(names) > 24 else "")

    rows = [(f"`{s.name}`", s.title, bands(s) or "any", s.source) for s in list_sensors()]
    return _table(("Name", "Sensor", "Bands", "Source of the table"), rows)


def model_table() -> str:
    """List the families of models."""
    from landweave.models import list_models

    return _table(("Name", "Model"), [(f"`{m.name}`", m.title) for m in list_models()])


def nomenclature_table() -> str:
    """Show each nomenclature with its classes."""
    from landweave.legend import get_nomenclature, list_nomenclatures

    parts = []
    for key in list_nomenclatures():
        one = get_nomenclature(key)
        swatch = '<span style="display:inline-block;width:1em;height:1em;border-radius:3px;background:{}"></span>'
        rows = [(str(c.code), f"{swatch.format(c.color)} {c.name}", c.definition) for c in one.legend]
        crossed = f" Crosswalks to {', '.join(f'`{k}`' for k in one.crosswalks)}." if one.crosswalks else ""
        parts += [f"### {one.title}", "", f"`{key}`. {one.source}.{crossed}", ""]
        parts += [_table(("Code", "Class", "Definition"), rows), ""]
    return "\n".join(parts)


def _sections(schema: Mapping[str, Any], title: str) -> Iterator[str]:
    """Markdown of a JSON schema: the top object first, then each definition that is an object."""
    for name, described in _in_order(schema):
        # a definition that may be written in short form too: its object says what the keys mean
        one = next((form for form in described.get("anyOf", ()) if form.get("type") == "object"), described)
        if one.get("type") != "object" or "properties" not in one:
            continue
        yield f"\n### {name or title}\n"
        yield from _described(one.get("description", ""))
        needed = set(one.get("required", ()))
        rows = [(f"`{key}`", _type(field), _default(field, key in needed), field.get("description", _attribute(one, key)))
                for key, field in one["properties"].items()]  # fmt: skip
        yield _table(("Key", "Value", "Default", "Meaning"), rows)


def _in_order(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The top object, then each definition when it is first referred to, so that sections follow the keys."""
    yield "", schema
    waiting, seen = _REF.findall(json.dumps(schema.get("properties", {}))), set()
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name, schema["$defs"][name]
            waiting += _REF.findall(json.dumps(schema["$defs"][name]))


_REF = re.compile(r"#/\$defs/(\w+)")
_ATTRIBUTE = re.compile(r"^ {0,8}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def _described(text: str) -> Iterator[str]:
    """The part of a docstring before its list of attributes, which goes into the table."""
    head = text.split("\n\nAttributes:")[0].strip()
    if head:
        yield " ".join(head.split()) + "\n"


def _attribute(one: Mapping[str, Any], key: str) -> str:
    _, _, listed = one.get("description", "").partition("Attributes:\n")
    found = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(listed)}
    return found.get(key, "")


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _link(field["$ref"])
    if "allOf" in field:
        return _type(field["allOf"][0])
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_type(one) for one in field[key] if one.get("type") != "null")) or "null"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{json.dumps(v)}`" for v in field.get("enum", [field.get("const")]))
    kind = field.get("type", "any")
    if kind == "array":
        items = field.get("items") or {"anyOf": field.get("prefixItems", [])}
        return f"list of {_type(items)}" if items != {"anyOf": []} else "list"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, Mapping) and inner else "mapping"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes/no"}
    return words.get(str(kind), str(kind)) + _limits(field)


def _limits(field: Mapping[str, Any]) -> str:
    signs = {"minimum": "\u2265", "exclusiveMinimum": ">", "maximum": "\u2264", "exclusiveMaximum": "<"}
    told = [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]
    return f" ({', '.join(told)})" if told else ""


def _link(ref: str) -> str:
    name = ref.rsplit("/", 1)[-1]
    return f"[{name}](#{name.lower()})"


def _default(field: Mapping[str, Any], is_needed: bool) -> str:
    if is_needed:
        return "**needed**"
    if "default" not in field:
        return "see there"
    value = field["default"]
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


_tables: dict[str, Callable[[], str]] = {
    "recipe": recipe_table,
    "assessment": assessment_table,
    "sensors": sensor_table,
    "models": model_table,
    "nomenclatures": nomenclature_table,
}
