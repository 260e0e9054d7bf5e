"""What grows or stands on the land: covers, each belonging to one class of the legend, with its phenology and structure.

A cover is finer than a class (wheat and barley are both winter crops). Figures are rounded, typical of the temperate
lowlands of Europe; they are made to be plausible, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.legend import LandClass, Legend

LEGEND = Legend((
    LandClass(1, "water", "#2f6fb7", None, "Rivers, lakes and ponds: open water on more than half of the pixel."),
    LandClass(2, "wetland", "#7fb8b0", None, "Reed, marsh and wet meadows where the soil is wet for most of the year."),
    LandClass(3, "forest broadleaf", "#3f8f3a", None, "Deciduous trees taller than 5 m."),
    LandClass(4, "forest conifer", "#1f5a33", None, "Evergreen needle-leaved trees taller than 5 m."),
    LandClass(5, "shrub", "#a08c4a", None, "Shrubs, young trees and regrowth after felling."),
    LandClass(6, "grassland", "#b6d66b", None, "Meadows, pastures and parks."),
    LandClass(7, "cropland winter", "#f0d264", "cropland", "Crops sown in autumn: wheat, barley, rapeseed."),
    LandClass(8, "cropland summer", "#e39b45", "cropland", "Crops sown in spring: maize, beet, sunflower."),
    LandClass(9, "built-up", "#c2352f", None, "Buildings, yards, streets and main roads."),
    LandClass(10, "bare", "#b8aca0", None, "Quarries, gravel bars, rock, building sites."),
))  # fmt: skip
"""The legend of every simulated landscape. The two croplands share a parent: rotating between them is no change."""


@dataclass(frozen=True)
class Cover:
    """A cover. Days are days of the year; fractions are of the pixel's surface.

    Attributes:
        name: For people.
        code: Class code in `LEGEND`.
        leaf: Endmember of its green part.
        green: Fraction of green at rest, and what a season adds.
        season: Start, its spread among parcels, end, its spread, and the time constants of greening and browning.
        second: A second season (start, end, green added), such as the seedlings of a winter crop; None without.
        dry: Share of dry plant matter in what is not green (the rest is soil), in and out of season.
        shade: Fraction of shade inside the canopy.
        water: Fraction of open water in spring; a third of it in late summer.
        paved: Fractions of concrete, asphalt, tiles and metal.
        soil: Endmember of its soil.
        vigour_sd: Standard deviation of green within a parcel.
        parcel_sd: Relative standard deviation of the season's green among parcels.
        radar_db: VV and VH at 38 degrees with dry bare ground, and what full green adds to each, dB.
    """

    name: str
    code: int
    leaf: str
    green: tuple[float, float]
    season: tuple[float, float, float, float, float, float]
    dry: tuple[float, float]
    radar_db: tuple[float, float, float, float]
    second: tuple[float, float, float] | None = None
    shade: float = 0.0
    water: float = 0.0
    paved: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    soil: str = "loam"
    vigour_sd: float = 0.06
    parcel_sd: float = 0.12
    cuts: bool = False
    flowers: bool = False


_ALL_YEAR = (100.0, 8.0, 300.0, 12.0, 14.0, 16.0)

COVERS = (
    Cover("river", 1, "herb", (0.0, 0.02), _ALL_YEAR, (0.0, 0.0), (-20.0, -27.0, 0.0, 0.0), water=1.0, vigour_sd=0.01),
    Cover("lake", 1, "herb", (0.0, 0.05), _ALL_YEAR, (0.0, 0.0), (-21.0, -28.0, 0.0, 0.0), water=1.0, vigour_sd=0.015),
    Cover("reed", 2, "herb", (0.05, 0.66), (140.0, 8.0, 272.0, 10.0, 12.0, 12.0), (0.75, 0.7), (-12.5, -19.5, 3.0, 3.0),
          shade=0.12, water=0.24, soil="peat", vigour_sd=0.13, parcel_sd=0.15),
    Cover("wet meadow", 2, "herb", (0.22, 0.56), (106.0, 8.0, 288.0, 12.0, 13.0, 15.0), (0.6, 0.6), (-11.5, -18.5, 1.0, 2.5),
          water=0.14, soil="peat", vigour_sd=0.12, parcel_sd=0.15),
    Cover("broadleaf forest", 3, "broadleaf", (0.14, 0.78), (114.0, 6.0, 289.0, 9.0, 5.5, 9.0), (0.75, 0.7),
          (-9.5, -15.5, 0.3, 1.2), shade=0.2, vigour_sd=0.07, parcel_sd=0.07),
    Cover("conifer forest", 4, "needle", (0.76, 0.09), _ALL_YEAR, (0.7, 0.7), (-9.2, -14.8, 0.0, 0.5), shade=0.36,
          vigour_sd=0.08, parcel_sd=0.06),
    Cover("shrub", 5, "broadleaf", (0.25, 0.44), (108.0, 9.0, 286.0, 14.0, 12.0, 14.0), (0.6, 0.6), (-10.8, -17.0, 0.6, 1.6),
          shade=0.12, vigour_sd=0.13, parcel_sd=0.2),
    Cover("regrowth", 5, "herb", (0.2, 0.48), (104.0, 10.0, 282.0, 14.0, 12.0, 14.0), (0.65, 0.6), (-11.0, -17.5, 0.5, 1.8),
          shade=0.08, vigour_sd=0.14, parcel_sd=0.2),
    Cover("meadow", 6, "herb", (0.36, 0.54), (88.0, 8.0, 305.0, 12.0, 12.0, 16.0), (0.6, 0.6), (-12.0, -19.5, 0.8, 2.2),
          cuts=True, vigour_sd=0.08, parcel_sd=0.12),
    Cover("pasture", 6, "herb", (0.42, 0.38), (86.0, 9.0, 300.0, 14.0, 14.0, 18.0), (0.65, 0.6), (-12.2, -19.3, 0.6, 1.8),
          vigour_sd=0.11, parcel_sd=0.16),
    Cover("winter wheat", 7, "herb", (0.03, 0.9), (78.0, 6.0, 182.0, 5.0, 10.0, 6.5), (0.9, 0.35), (-10.5, -18.5, -3.0, 1.0),
          second=(305.0, 440.0, 0.3)),
    Cover("winter barley", 7, "herb", (0.03, 0.88), (72.0, 6.0, 167.0, 5.0, 10.0, 6.0), (0.9, 0.4), (-10.5, -18.5, -2.6, 1.4),
          second=(290.0, 440.0, 0.36)),
    Cover("rapeseed", 7, "herb", (0.03, 0.92), (70.0, 6.0, 176.0, 5.0, 10.0, 8.0), (0.85, 0.3), (-10.8, -18.5, 0.5, 4.2),
          second=(255.0, 440.0, 0.55), flowers=True),
    Cover("maize", 8, "herb", (0.03, 0.87), (161.0, 7.0, 262.0, 9.0, 8.0, 7.0), (0.7, 0.15), (-11.0, -19.0, 1.0, 4.4),
          shade=0.04),
    Cover("beet", 8, "herb", (0.03, 0.9), (153.0, 7.0, 288.0, 10.0, 8.0, 6.0), (0.35, 0.12), (-11.0, -19.0, 1.8, 4.0)),
    Cover("sunflower", 8, "broadleaf", (0.03, 0.78), (150.0, 7.0, 236.0, 8.0, 9.0, 8.0), (0.8, 0.15),
          (-11.0, -19.0, 2.0, 4.6)),
    Cover("town centre", 9, "broadleaf", (0.08, 0.08), _ALL_YEAR, (0.3, 0.3), (-3.5, -11.0, 0.0, 0.0), shade=0.14,
          paved=(0.24, 0.32, 0.2, 0.06), vigour_sd=0.1, parcel_sd=0.2),
    Cover("suburb", 9, "herb", (0.26, 0.22), _ALL_YEAR, (0.4, 0.4), (-6.0, -13.0, 0.0, 0.6), shade=0.08,
          paved=(0.12, 0.18, 0.13, 0.02), vigour_sd=0.18, parcel_sd=0.25),
    Cover("industry", 9, "herb", (0.06, 0.06), _ALL_YEAR, (0.3, 0.3), (-2.5, -11.5, 0.0, 0.0), shade=0.05,
          paved=(0.32, 0.34, 0.02, 0.22), vigour_sd=0.12, parcel_sd=0.3),
    Cover("road", 9, "herb", (0.08, 0.06), _ALL_YEAR, (0.4, 0.4), (-13.0, -20.5, 0.0, 0.0), paved=(0.12, 0.76, 0.0, 0.0)),
    Cover("quarry", 10, "herb", (0.03, 0.04), _ALL_YEAR, (0.2, 0.2), (-11.0, -19.5, 0.0, 0.0), soil="rock", vigour_sd=0.05),
    Cover("gravel bar", 10, "herb", (0.05, 0.08), _ALL_YEAR, (0.2, 0.2), (-12.0, -20.5, 0.0, 0.0), soil="sand", vigour_sd=0.07),
    Cover("building site", 10, "herb", (0.05, 0.08), _ALL_YEAR, (0.25, 0.25), (-10.5, -18.5, 0.0, 0.0), soil="loam",
          paved=(0.12, 0.05, 0.0, 0.02), vigour_sd=0.07),
    Cover("felled", 10, "herb", (0.08, 0.14), (120.0, 10.0, 280.0, 12.0, 12.0, 14.0), (0.45, 0.45), (-11.0, -18.5, 0.0, 0.5),
          vigour_sd=0.09),
)  # fmt: skip
"""All covers; a cover's index in this tuple is its code in the cover raster."""

INDEX = {cover.name: i for i, cover in enumerate(COVERS)}
"""Cover name -> its index."""

CODE_OF_COVER: NDArray[np.uint8] = np.array([cover.code for cover in COVERS], dtype=np.uint8)
"""Class code of each cover."""
