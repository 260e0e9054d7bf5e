"""Finding scenes: which files hold which band of which sensor at which time, on disk or in a STAC catalogue."""

from landweave.imagery.catalogue import items_path, search_items
from landweave.imagery.catalogue_options import CatalogueOptions
from landweave.imagery.find import find_scenes
from landweave.imagery.masks import MaskOptions
from landweave.imagery.options import SourceOptions

__all__ = ["CatalogueOptions", "MaskOptions", "SourceOptions", "find_scenes", "items_path", "search_items"]
