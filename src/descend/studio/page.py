"""The page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

if TYPE_CHECKING:
    from descend.studio.desk import Studio


def add_page(studio: Studio) -> None:
    """Add the studio's page to the application."""

    @ui.page("/")
    def page() -> None:
        ui.label(studio.file or "descend").props('role="heading" aria-level="1"')
