"""The real components that the tests run against: found on the machine, else fetched from Debian and unpacked."""

from tests.parts.finder import cache_folder, find, missing, present, version
from tests.parts.wanted import PARTS

__all__ = ["find", "present", "missing", "version", "cache_folder", "PARTS"]
