"""Synthetic landscapes with known truth: terrain, land cover of two years, scenes of several sensors, labels, a recipe."""

from typing import TYPE_CHECKING, Any

from landweave.simulate.options import SIMULATED_SENSORS, Landscape, SimulateOptions

if TYPE_CHECKING:
    from landweave.simulate.landscape import simulate_landscape

__all__ = ["SIMULATED_SENSORS", "Landscape", "SimulateOptions", "simulate_landscape"]


def __getattr__(name: str) -> Any:
    # the kernels behind it import numba, which takes a while
    if name == "simulate_landscape":
        from landweave.simulate.landscape import simulate_landscape

        return simulate_landscape
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
