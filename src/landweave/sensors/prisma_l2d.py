"""PRISMA, level 2D: surface reflectance of two spectrometers, joined."""

from __future__ import annotations

from landweave.sensors.spectrometer import make_spectrum
from landweave.types import Sensor

__all__ = ["make_sensor"]

# centres nm of one product, rounded to 0.1; those of another differ by up to about a nanometre
_CENTERS = (
    407.0, 415.8, 423.8, 431.3, 438.7, 446.0, 453.4, 460.7, 468.1, 475.3, 482.5, 489.8, 497.1, 504.5, 512.0, 519.5, 527.3,
    535.1, 542.9, 550.9, 559.0, 567.2, 575.5, 583.8, 592.3, 601.0, 610.0, 618.7, 627.8, 636.7, 646.0, 655.4, 664.9, 674.5,
    684.1, 694.1, 703.7, 713.7, 723.9, 734.0, 744.1, 754.5, 764.9, 775.3, 785.7, 796.1, 806.7, 817.3, 827.9, 838.5, 849.2,
    860.0, 870.7, 881.5, 892.1, 902.8, 913.4, 924.0, 934.1, 944.6, 956.3, 967.0, 977.4, 979.2, 988.9, 998.9, 1008.6,
    1018.5, 1029.3, 1038.0, 1047.7, 1057.6, 1067.8, 1078.2, 1088.8, 1099.3, 1109.9, 1120.7, 1131.3, 1142.1, 1152.7,
    1163.7, 1174.7, 1185.6, 1196.3, 1207.3, 1217.9, 1229.2, 1240.2, 1251.0, 1262.5, 1273.5, 1284.5, 1295.4, 1306.2,
    1317.3, 1328.3, 1339.1, 1349.8, 1361.1, 1372.9, 1383.3, 1394.8, 1405.6, 1416.5, 1427.4, 1438.5, 1449.2, 1459.3,
    1469.9, 1480.8, 1491.4, 1502.0, 1512.6, 1523.2, 1533.8, 1544.2, 1554.8, 1565.4, 1575.6, 1585.9, 1596.2, 1606.5,
    1616.8, 1627.0, 1637.1, 1647.2, 1656.9, 1667.2, 1677.3, 1687.4, 1697.3, 1707.1, 1716.9, 1726.7, 1736.5, 1746.2,
    1755.8, 1765.5, 1775.1, 1784.7, 1794.0, 1803.6, 1813.1, 1822.4, 1832.0, 1841.3, 1850.6, 1859.6, 1868.2, 1878.7,
    1887.1, 1896.1, 1904.9, 1914.3, 1923.4, 1932.3, 1941.1, 1949.9, 1958.6, 1967.3, 1976.0, 1984.9, 1993.5, 2002.1,
    2010.7, 2019.3, 2027.7, 2036.3, 2044.7, 2053.0, 2061.4, 2069.8, 2078.0, 2086.4, 2094.6, 2102.8, 2111.0, 2119.2,
    2127.3, 2135.5, 2143.5, 2151.4, 2159.6, 2167.5, 2175.3, 2183.4, 2191.1, 2199.1, 2206.8, 2214.6, 2222.4, 2230.0,
    2237.9, 2245.4, 2253.1, 2260.9, 2268.3, 2276.1, 2283.5, 2290.8, 2298.6, 2305.7, 2313.2, 2320.9, 2327.8, 2335.5,
    2342.8, 2349.8, 2357.3, 2364.6, 2371.6, 2378.8, 2386.1, 2393.0, 2400.0, 2407.6, 2414.4, 2421.2, 2428.7, 2435.5,
    2442.4, 2449.1, 2456.6, 2463.0, 2469.6, 2477.1, 2483.8, 2490.2, 2497.1,
)  # fmt: skip
_FIRST_SWIR = 978.0
_VNIR_WIDTH, _SWIR_WIDTH = 11.0, 11.5


def make_sensor() -> Sensor:
    """Make the table of PRISMA level 2D as joined to one file, VNIR first.

    The stored counts span `L2ScaleVnirMin` to `L2ScaleVnirMax` (`L2ScaleSwirMin`, ...) of each product, so that the table has
    no scale: software that converts the HDF5 file writes reflectance, else the recipe states it: reflectance is min + count
    (max - min) / 65535, and 0 is empty. The cubes are `HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube` and `SWIR_Cube`.
    """
    widths = [_VNIR_WIDTH if nm < _FIRST_SWIR else _SWIR_WIDTH for nm in _CENTERS]
    return Sensor(
        "prisma-l2d", "PRISMA level 2D, surface reflectance", make_spectrum(
            _CENTERS, widths, scale=None, nodata=0, resolution_m=30.0,
        ),
        source="structure, attributes (List_Cw_Vnir, List_Cw_Swir, L2Scale*) and coding: public readers of the HDF5 files "
        "(prismaread and others); centres: those of one product, as public code repeats them (data set MUMUCD); widths are "
        "nominal, not confirmed against ASI's Products Specification Document",
    )  # fmt: skip
