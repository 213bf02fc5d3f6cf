"""What an examination found: one verdict for each check, and the table a person reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.ingest.conformance.subject import Subject

Status = Literal["pass", "fail", "absent"]
MARKS: dict[Status, str] = {"pass": "✓", "fail": "✗", "absent": "–"}


@dataclass(frozen=True)
class Check:
    """One thing an adapter must do. `look` returns a remark, or raises `Failed` or `Absent`.

    Where nothing can be looked at, a `mandatory` check fails.
    """

    name: str
    about: str
    look: Callable[[Subject], str]
    mandatory: bool = False


@dataclass(frozen=True)
class Verdict:
    """What one check found; `remark` is the reason, or how much was looked at."""

    check: str
    status: Status
    remark: str = ""


@dataclass(frozen=True)
class Report:
    """Every verdict on one adapter."""

    adapter: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Say whether nothing failed."""
        return all(verdict.status != "fail" for verdict in self.verdicts)


def as_data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return the reports as plain JSON values."""
    return [
        {
            "adapter": report.adapter,
            "passed": report.passed,
            "checks": {v.check: {"status": v.status, "remark": v.remark} for v in report.verdicts},
        }
        for report in reports
    ]


def as_list(report: Report) -> str:
    """Return one adapter's verdicts, a line each, with the remarks."""
    width = max(len(verdict.check) for verdict in report.verdicts)
    lines = [f"{MARKS[v.status]} {v.check:<{width}}  {v.remark}".rstrip() for v in report.verdicts]
    return "\n".join([*lines, summary([report])])


def as_table(reports: Sequence[Report], checks: Sequence[Check]) -> str:
    """Return adapters by checks, the checks numbered and named below; then what failed, and why."""
    width = max(len("adapter"), *(len(report.adapter) for report in reports))
    numbers = "".join(f"{number:>3}" for number in range(1, len(checks) + 1))
    lines = [f"{'adapter':<{width}}{numbers}"]
    for report in reports:
        marks = "".join(f"  {MARKS[verdict.status]}" for verdict in report.verdicts)
        lines.append(f"{report.adapter:<{width}}{marks}")
    lines += ["", "✓ pass, ✗ fail, – not applicable or no payload shows it"]
    lines += [f"{n:>3} {check.name}: {check.about}" for n, check in enumerate(checks, 1)]
    failed = [
        f"✗ {report.adapter}, {verdict.check}: {verdict.remark}"
        for report in reports
        for verdict in report.verdicts
        if verdict.status == "fail"
    ]
    return "\n".join([*lines, "", *failed, summary(reports)])


def summary(reports: Sequence[Report]) -> str:
    """Return the last line: how many passed."""
    passed = sum(report.passed for report in reports)
    return f"{passed} of {len(reports)} adapters pass"
