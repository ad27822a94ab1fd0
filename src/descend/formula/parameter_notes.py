"""What a person is to know where a parameter of an equation is called like a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.formula._names import close_to
from descend.formula.ast import names_of, unknowns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.formula.ast import Hypothesis


def parameter_notes(hypothesis: Hypothesis, columns: Sequence[str]) -> list[Note]:
    """Return a note for each parameter that has the name of a column of a table, or nearly that of one not used.

    A table has a column of that name only where it is not the one that was fitted; a name that is nearly a column's was
    declared.
    """
    parameters = dict.fromkeys(one.name for expression in hypothesis.written for one in unknowns_of(expression))
    used = {name.name for expression in hypothesis.written for name in names_of(expression)}
    used |= {name.name for name in hypothesis.outputs}
    unused = [name for name in columns if name not in used]
    notes = []
    for parameter in parameters:
        if parameter in unused:
            notes.append(Note("note.parameter-is-column", {"parameter": parameter}))
        elif near := close_to(parameter, unused):
            notes.append(Note("note.parameter-near-column", {"parameter": parameter, "column": near}))
    return notes
