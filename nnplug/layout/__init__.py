"""How source folders are laid out: finding cases by names alone; for converters of any format."""

from nnplug.layout.cases import find_cases
from nnplug.layout.detect import holds_images
from nnplug.layout.scan import natural_key

__all__ = ["find_cases", "holds_images", "natural_key"]
