"""Every error that Landweave raises on purpose.

One root, `LandweaveError`; each child also inherits the builtin it refines, so that `except ValueError` keeps working.
`exit_code` is what the command line ends with. A message says what was wrong with its value, what was expected, what to do.
"""

from __future__ import annotations


class LandweaveError(Exception):
    """Root of all errors whose message is meant for the user."""

    exit_code: int = 2


class _FileError(LandweaveError, OSError):
    """An error about a file; prints its message without the errno that it may carry."""

    def __str__(self) -> str:
        return str(self.args[-1]) if self.args else ""


class RecipeError(LandweaveError, ValueError):
    """A recipe has an unknown key, a value out of range, or names something that does not exist."""


class SourceError(_FileError):
    """An input file is missing, truncated, or not what it is said to be."""


class GridError(LandweaveError, ValueError):
    """Two things are not on the grid, crs or resolution that they need to share."""


class LegendError(LandweaveError, ValueError):
    """A class code or name is unknown, doubled, or not allowed."""


class BandError(LandweaveError, LookupError):
    """A band is missing, unnamed, doubled, or unknown to the sensor."""


class SensorError(LandweaveError, LookupError):
    """No sensor is registered under a name."""


class SceneError(LandweaveError, ValueError):
    """Scenes contradict each other: same band and date twice, no date, no scene at all."""


class CubeError(LandweaveError, ValueError):
    """A cube cannot be built or does not fit: values out of range, no overlap in time, all nodata."""


class SampleError(LandweaveError, ValueError):
    """Reference data cannot be used as it is: no crs, unknown classes, contradictory labels, too few."""


class SplitError(SampleError):
    """Samples cannot be split as asked without a leak or an empty fold."""


class ModelError(LandweaveError, ValueError):
    """A model is unknown, cannot be trained on these samples, or does not fit the cube that it is given."""


class MapError(LandweaveError, ValueError):
    """A map cannot be made or read."""


class AssessmentError(LandweaveError, ValueError):
    """A map and its reference cannot be compared, or a design does not allow an estimate."""


class OutputExistsError(_FileError, FileExistsError):
    """The output folder holds the result of another run."""


class OutputLockedError(_FileError, BlockingIOError):
    """Another process is writing to the output folder."""


class DiskFullError(_FileError):
    """The disk cannot hold the output."""


class MissingExtraError(LandweaveError, ImportError):
    """An optional dependency is not installed."""


class BlocksFailedError(LandweaveError, RuntimeError):
    """Some blocks could not be computed because their sources are corrupt; the others are kept."""

    exit_code = 3
