"""How a scan is opened by its name, and read whole where it fits in memory."""

from descend.scans.files import is_many, open_scan
from descend.scans.joining import whole

__all__ = ["is_many", "open_scan", "whole"]
