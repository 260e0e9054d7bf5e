"""Finding scenes: which files hold which band of which sensor at which time."""

from landweave.imagery.find import find_scenes
from landweave.imagery.options import SourceOptions

__all__ = ["SourceOptions", "find_scenes"]
