"""The arithmetic of the figures: percentiles, and ratios of what was measured side by side. Times in microseconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of `values` do not exceed; ValueError without values."""
    if not values:
        raise ValueError("expected at least one value")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Series:
    """Samples of one thing, round by round. Only rounds of the same number may be compared with each other."""

    name: str
    rounds: list[list[float]] = field(default_factory=list)

    def add(self, samples: list[float]) -> None:
        """The samples of one more round."""
        self.rounds.append(samples)

    @property
    def samples(self) -> list[float]:
        """All samples, of whatever round."""
        return [value for samples in self.rounds for value in samples]

    def at(self, share: float) -> float:
        """Percentile over all samples."""
        return percentile(self.samples, share)

    @property
    def p50(self) -> float:
        """Median over all samples."""
        return self.at(0.50)

    def round_medians(self) -> list[float]:
        """The median of each round."""
        return [median(samples) for samples in self.rounds]


def ratio(series: Series, floor: Series) -> float:
    """How many times `floor`: the median over rounds of each round's own ratio, so that a slow round slows both."""
    _same_rounds(series, floor)
    pairs = zip(series.round_medians(), floor.round_medians(), strict=True)
    return median([own / other for own, other in pairs])


def shares_of_disk(series: Series, echo: Series, disk: Series) -> float:
    """How many times `disk` fits into what `series` takes beyond `echo`, by rounds as in `ratio`."""
    _same_rounds(series, echo)
    _same_rounds(series, disk)
    triples = zip(series.round_medians(), echo.round_medians(), disk.round_medians(), strict=True)
    return median([(own - other) / sync for own, other, sync in triples])


def _same_rounds(one: Series, other: Series) -> None:
    if len(one.rounds) != len(other.rounds) or not one.rounds:
        raise ValueError(
            f"expected {one.name} and {other.name} in the same rounds, not {len(one.rounds)} and {len(other.rounds)}"
        )
