"""Findings: the registry of their kinds, and what a diagnosis says by one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from descend.analysis.diagnosis.remedies.case import Case
from descend.base.messages import has, say
from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.analysis.diagnosis.change import Change
    from descend.analysis.diagnosis.evidence import Evidence, Need
    from descend.analysis.diagnosis.remedies.case import Offer

    Look = Callable[[Evidence], list["Sign"]]

Severity = Literal["error", "warning", "hint"]
Stage = Literal["run", "cells", "target", "columns", "parameters", "residuals"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")
STAGES: tuple[Stage, ...] = ("run", "cells", "target", "columns", "parameters", "residuals")


@dataclass(frozen=True)
class Sign:
    """What a look sees: the name of a kind of finding, the values of its sentence, and a severity of its own."""

    kind: str
    values: dict[str, Any]
    severity: Severity | None = None


@dataclass(frozen=True)
class Finding:
    """Something that the numbers of a fit say: a code, how bad it is, its evidence in numbers, and what mends it.

    "error": the answer cannot be used as it is; "warning": look before using it; "hint": it could be better. ``fixes``
    are the changes that mend it, the best first; () where there is none.
    """

    code: str
    severity: Severity
    values: dict[str, Any]
    fixes: tuple[Change, ...] = ()

    @property
    def kind(self) -> FindingKind:
        """The kind that it is of."""
        return FINDINGS[self.code.removeprefix("finding.")]

    @property
    def fix(self) -> Change | None:
        """The best change that mends it: its ``formula``, ``settings`` and ``reading``; None where there is none."""
        return self.fixes[0] if self.fixes else None

    @property
    def unfinished(self) -> bool:
        """Whether it says that the fit ended before it had arrived."""
        return self.kind.unfinished

    @property
    def endless(self) -> bool:
        """Whether it says that there is nowhere to arrive, as the loss has no minimum."""
        return self.kind.endless

    def tell(self, lang: str = "en") -> str:
        """Return what was found, as a sentence."""
        told = dict(self.values)
        if isinstance(told.get("last"), float) and isinstance(told.get("first"), float):
            told |= dict(zip(("first", "last"), _unlike(told["first"], told["last"]), strict=True))
        return say(self.code, lang, **told)

    def remedy(self, lang: str = "en") -> str:
        """Return what to do about it: of several remedies the one that the values name."""
        named = str(self.values.get("remedy", ""))
        own = named.startswith(f"{self.code}.") and has(f"{named}.remedy")
        return say(f"{named if own else self.code}.remedy", lang, **self.values)


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding: everything about it but the sentences ``finding.NAME`` and ``finding.NAME.remedy``.

    look: sees it; kinds that are seen together share one. stage: of the road, in whose order findings are told.
    needs: "run": what any run leaves; "classes": the target's classes; "design": the columns of a linear hypothesis,
    whatever its run came to; "equation": finite weights too; "errors": those of least squares, of a curve at its
    minimum too; "curve": an equation that is not linear in its parameters, whatever its run came to; "minimum": finite
    parameters too. A network has the first two only.
    offers: the changes that mend it, the best first. unless: the kinds beside which it has nothing to say.
    unfinished: it says that the fit ended before it had arrived; endless: that there is nowhere to arrive.
    """

    name: str
    look: Look
    stage: Stage
    severity: Severity = "warning"
    needs: Need = "equation"
    offers: Offer | None = None
    unless: tuple[str, ...] = ()
    unfinished: bool = False
    endless: bool = False

    @property
    def code(self) -> str:
        """The code of its sentence."""
        return f"finding.{self.name}"

    def serves(self, evidence: Evidence) -> bool:
        """Tell whether the evidence holds what the kind needs."""
        return self.needs in evidence.holds

    def finding(self, sign: Sign, evidence: Evidence) -> Finding:
        """Return the finding that a sign of this kind is, with the changes that mend it."""
        return Finding(self.code, sign.severity or self.severity, sign.values, self.fixes(sign.values, evidence))

    def fixes(self, values: Mapping[str, Any], evidence: Evidence) -> tuple[Change, ...]:
        """Return the changes that mend a finding with these values in this fit, the best first; () for none."""
        return () if self.offers is None else Case.of(values, evidence).possible(self.offers)


FINDINGS: Registry[FindingKind] = Registry("finding", f"{__package__}.kinds")


def _unlike(first: float, last: float) -> tuple[str, str]:
    """Return two numbers with four digits, or with as many as tell them apart where that is more than rounding."""
    digits = next((digits for digits in range(4, 13) if f"{first:.{digits}g}" != f"{last:.{digits}g}"), 4)
    return f"{first:.{digits}g}", f"{last:.{digits}g}"
