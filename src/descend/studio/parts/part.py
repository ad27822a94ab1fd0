"""The base class of the parts of the page: the study, the language, and a way to act without freezing the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nicegui import background_tasks

from descend.base.messages import say

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from descend.studio.study import Study


class PagePart:
    """A part of the page that shows a study."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def say(self, key: str, **values: Any) -> str:
        """Return a sentence of the studio's in the reader's language."""
        return say(f"studio.{key}", self.study.lang, **values)

    @staticmethod
    def act(doing: Coroutine[Any, Any, Any]) -> None:
        """Start a task that takes a while; the page stays responsive."""
        background_tasks.create(doing)
