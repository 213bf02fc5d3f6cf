"""What a benchmark found: one JSON file each, and one table of all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal

FOLDER = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the median of its rounds, against a target.

    `against` says what the floor of a ratio is, or what is measured.
    """

    name: str
    value: float
    unit: str
    target: float
    direction: Literal["min", "max"]
    holds: bool
    rounds: Sequence[float]
    against: str


def figure(
    name: str,
    rounds: Sequence[float],
    *,
    unit: str,
    target: float,
    direction: Literal["min", "max"],
    against: str,
) -> Figure:
    """Return the figure that these rounds give."""
    value = median(rounds)
    holds = value >= target if direction == "min" else value <= target
    rounded = [round(one, 4) for one in rounds]
    return Figure(name, round(value, 4), unit, target, direction, holds, rounded, against)


def write(found: Figure) -> None:
    """Write the figure to `build/bench/NAME.json`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{found.name}.json"
    path.write_text(json.dumps(asdict(found), indent=2) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """Return all figures, one a line."""
    lines = [f"{'figure':34} {'value':>10} {'target':>12}  {'':8} rounds"]
    for one in figures:
        sign = "≥" if one.direction == "min" else "≤"
        verdict = "holds" if one.holds else "MISSED"
        spread = f"{min(one.rounds):g} … {max(one.rounds):g}"
        lines.append(
            f"{one.name:34} {one.value:>10g} {sign} {one.target:<6g} {one.unit:5} "
            f"{verdict:8} {spread}"
        )
    return "\n".join(lines)
