"""Which band a layer is, by name: the recipe's, the file's descriptions, wavelengths, or a name within the file's name.

Never by position: a file whose layers say nothing is an error that tells how to name them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from landweave.errors import BandError
from landweave.io.rasters import RasterInfo
from landweave.types import Sensor

__all__ = ["match_name", "name_layers", "name_of_file"]

log = logging.getLogger(__name__)

_POSITIONAL = re.compile(r"(?:band|layer|b\.?)[ _#-]*0*(\d+)", re.IGNORECASE)
_WAVELENGTH = re.compile(r"\((\d+(?:\.\d+)?)\s*(micrometers?|um|µm|nanometers?|nm)\)", re.IGNORECASE)


def _tokens(text: str) -> list[str]:
    return [t for t in re.split(r"[^0-9a-z]+", text.casefold()) if t]


def match_name(text: str, sensor: Sensor) -> str | None:
    """Give the common name of the one band whose name or alias stands in `text` as whole words, or None.

    `B1_dn`, `band 1 reflectance` and `LC08_..._SR_B4` are read so. The longest name wins ("red edge 1" is not red); None
    where two different bands are named.
    """
    if (exact := next((b for b in sensor.bands if _is_called(b.name, b.aliases, text)), None)) is not None:
        return exact.name
    words = _tokens(text)
    called = {"".join(_tokens(alias)): band.name for band in sensor.bands for alias in (band.name, *band.aliases)}
    spans = [(i, j, "".join(words[i:j])) for i in range(len(words)) for j in range(i + 1, min(i + 8, len(words)) + 1)]
    hits = [(i, j, called[text]) for i, j, text in spans if text in called]
    longest = [h for h in hits if not any(o[0] <= h[0] and h[1] <= o[1] and o[1] - o[0] > h[1] - h[0] for o in hits)]
    names = {name for _, _, name in longest}
    return names.pop() if len(names) == 1 else None


def _is_called(name: str, aliases: Sequence[str], text: str) -> bool:
    return text.casefold() in (name.casefold(), *(a.casefold() for a in aliases))


def _match_wavelength(text: str, sensor: Sensor) -> str | None:
    found = _WAVELENGTH.search(text)
    if found is None:
        return None
    nm = float(found[1]) * (1000 if found[2].casefold().startswith(("mi", "u", "µ")) else 1)
    near = [b for b in sensor.bands if b.center_nm and b.width_nm and abs(b.center_nm - nm) <= b.width_nm / 2]
    return min(near, key=lambda b: abs((b.center_nm or 0) - nm)).name if near else None


def _to_identifier(text: str) -> str | None:
    return "_".join(_tokens(text)) or None


def _match_description(text: str | None, sensor: Sensor) -> str | None:
    if not text:
        return None
    if not sensor.is_open:
        return match_name(text, sensor) or _match_wavelength(text, sensor)
    # an open sensor takes any name, so a longer description is a name of its own
    known = next((b.name for b in sensor.bands if _is_called(b.name, b.aliases, text)), None)
    return known or _to_identifier(text)


def _meaningful(info: RasterInfo) -> list[str | None]:
    """Give the descriptions without those that merely count: "Band 3" on layer 3 is what software writes by itself."""
    out: list[str | None] = []
    for i, text in enumerate(info.descriptions, start=1):
        found = _POSITIONAL.fullmatch(text.strip()) if text else None
        is_count = found is not None and int(found[1]) == i and (text or "").casefold().startswith(("band", "layer"))
        out.append(None if is_count else text)
    return out


def name_layers(info: RasterInfo, sensor: Sensor, layers: Sequence[str | None] | Mapping[str, str] | None) -> dict[int, str]:
    """Name the layers of a file.

    Args:
        info: The file's header.
        sensor: Its bands and aliases are looked for in the descriptions.
        layers: The recipe's names in order, or a mapping of descriptions to names.

    Returns:
        Layer (from 1) -> common name; layers that have no name, or `null` in the recipe, are left out.

    Raises:
        BandError: If no layer has a name, two have the same, or the recipe names more or fewer layers than there are.
    """
    if layers is not None and not isinstance(layers, Mapping):
        names = _name_by_list(info, sensor, layers)
    else:
        names = _name_by_description(info, sensor, layers or {})
    doubled = sorted({n for n in names.values() if list(names.values()).count(n) > 1})
    if doubled:
        at = [i for i, n in names.items() if n == doubled[0]]
        said = ", ".join(f"layer {i} ({info.descriptions[i - 1]})" for i in at)
        raise BandError(f"{info.path}: {said} are all {doubled[0]}; say which one it is with `layers:` (null skips a layer)")
    return names


def _name_by_list(info: RasterInfo, sensor: Sensor, layers: Sequence[str | None]) -> dict[int, str]:
    if len(layers) != info.count:
        raise BandError(
            f"{info.path} has {info.count} layers ({_say(info)}), but `layers:` (--bands) names {len(layers)}: "
            f"{', '.join(str(n) for n in layers)}; name each one, null for those to skip"
        )
    return {i: _common_name(n, sensor) for i, n in enumerate(layers, start=1) if n is not None}


def _common_name(name: str, sensor: Sensor) -> str:
    """Give the common name of a name or alias; a name that the sensor does not know stays as it is (a mask, an extra)."""
    band = next((b for b in sensor.bands if _is_called(b.name, b.aliases, name)), None)
    return band.name if band else name


def _name_by_description(info: RasterInfo, sensor: Sensor, mapping: Mapping[str, str]) -> dict[int, str]:
    given = {k.casefold(): v for k, v in mapping.items()}
    texts = _meaningful(info)
    absent = [k for k in mapping if k.casefold() not in {(d or "").casefold() for d in info.descriptions}]
    if absent:
        raise BandError(f"{info.path} has no layer described {absent[0]!r}; its descriptions are {_say(info)}")
    names: dict[int, str] = {}
    for i, (raw, text) in enumerate(zip(info.descriptions, texts, strict=True), start=1):
        name = given.get((raw or "").casefold()) or _match_description(text, sensor)
        if name is not None:
            names[i] = _common_name(name, sensor)
    if not names and info.count == 1 and len(sensor.bands) == 1:
        return {1: sensor.bands[0].name}
    if not names and info.count > 1:
        raise BandError(
            f"{info.path}: none of its {info.count} layers has a name that {sensor.name} knows; descriptions: {_say(info)}. "
            "Name them in order with `layers: [blue, green, ...]` in the recipe or --bands blue,green,..."
        )
    skipped = [i for i in range(1, info.count + 1) if i not in names]
    if names and skipped:
        log.info("%s: layers %s are left out, their descriptions name no band of %s", info.path, skipped, sensor.name)
    return names


def _say(info: RasterInfo) -> str:
    texts = [repr(d) if d else "none" for d in info.descriptions]
    return ", ".join(texts[:16]) + (f" and {len(texts) - 16} more" if len(texts) > 16 else "")


def name_of_file(path: str, sensor: Sensor) -> str | None:
    """Give the band that a file's name holds as whole words, or None; an open sensor takes a whole name that it knows."""
    stem = PurePath(path.rsplit("/", 1)[-1]).stem
    return match_name(stem, sensor)
