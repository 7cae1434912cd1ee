"""Which lines each match takes, for many matches in one pass over the receipt."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from till_loyalty.receipt import Line
from till_loyalty.rule_parts import Match, NamedList, Selector

Lists = Mapping[str, NamedList]


class _Extra(NamedTuple):
    """What a match asks beyond having any of its names: positions that must, and must not, have taken the line."""

    all: tuple[int, ...]
    none: tuple[int, ...]


def is_everything(match: Match | Selector) -> bool:
    """Whether nothing is named, so that every line is meant."""
    return not (match.skus or match.categories or match.brands or match.labels or match.suppliers or match.lists)


class Matcher:
    """An index of matches by SKU, category path prefix, brand, label and supplier.

    Work grows with the lines plus what they match, never with lines times matches.
    """

    __slots__ = (
        "_by_brand",
        "_by_label",
        "_by_prefix",
        "_by_sku",
        "_by_supplier",
        "_everything",
        "_extras",
        "_matches",
        "_positions",
        "_prefix_lengths",
    )

    def __init__(self, matches: Sequence[Match], lists: Lists | None = None) -> None:
        self._by_sku: dict[str, list[int]] = {}
        self._by_prefix: dict[tuple[str, ...], list[int]] = {}
        self._by_brand: dict[str, list[int]] = {}
        self._by_label: dict[str, list[int]] = {}
        self._by_supplier: dict[str, list[int]] = {}
        everything: list[int] = []
        extras: list[tuple[int, _Extra]] = []
        self._matches = self._positions = len(matches)
        for position, match in enumerate(matches):
            if is_everything(match):
                everything.append(position)
            self._index(match, position, lists or {})
            if match.all or match.none:
                every = tuple([self._selector(each, lists or {}) for each in match.all])
                extras.append(
                    (position, _Extra(every, tuple([self._selector(each, lists or {}) for each in match.none])))
                )
        self._everything = tuple(everything)
        self._extras = tuple(extras)
        self._prefix_lengths = tuple(sorted({len(prefix) for prefix in self._by_prefix}))

    def _selector(self, selector: Selector, lists: Lists) -> int:
        position = self._positions
        self._positions += 1
        self._index(selector, position, lists)
        return position

    def _index(self, names: Match | Selector, position: int, lists: Lists) -> None:
        for named in (names, *[lists[each] for each in names.lists if each in lists]):
            for sku in named.skus:
                self._by_sku.setdefault(sku, []).append(position)
            for category in named.categories:
                self._by_prefix.setdefault(category, []).append(position)
            for brand in named.brands:
                self._by_brand.setdefault(brand, []).append(position)
            for label in named.labels:
                self._by_label.setdefault(label, []).append(position)
            for supplier in named.suppliers:
                self._by_supplier.setdefault(supplier, []).append(position)

    def select(self, lines: Sequence[Line]) -> list[list[int]]:
        """For each match, the indexes of its lines, ascending, each once however often the match names it."""
        selected: list[list[int]] = [[] for _ in range(self._positions)]
        by_sku, by_prefix, lengths = self._by_sku, self._by_prefix, self._prefix_lengths
        for index, line in enumerate(lines):
            for position in by_sku.get(line.sku, ()):
                taken = selected[position]
                if not taken or taken[-1] != index:
                    taken.append(index)
            category = line.category
            for length in lengths:
                if length > len(category):
                    break
                for position in by_prefix.get(category[:length], ()):
                    taken = selected[position]
                    if not taken or taken[-1] != index:
                        taken.append(index)
        if self._by_brand or self._by_label or self._by_supplier:
            self._select_by_facts(lines, selected)
        if self._everything:
            every_line = list(range(len(lines)))
            for position in self._everything:
                selected[position] = every_line
        for position, extra in self._extras:
            selected[position] = _narrowed(selected, position, extra)
        return selected[: self._matches]

    def _select_by_facts(self, lines: Sequence[Line], selected: list[list[int]]) -> None:
        """Add the lines by brand, label and supplier; a list that another name filled before is put in order again."""
        touched: set[int] = set()
        for index, line in enumerate(lines):
            positions = [*self._by_brand.get(line.brand, ()), *self._by_supplier.get(line.supplier, ())]
            for label in line.labels:
                positions += self._by_label.get(label, ())
            for position in positions:
                selected[position].append(index)
                touched.add(position)
        for position in touched:
            selected[position] = sorted(set(selected[position]))


def _narrowed(selected: list[list[int]], position: int, extra: _Extra) -> list[int]:
    taken = set(selected[position])
    for each in extra.all:
        taken.intersection_update(selected[each])
    for each in extra.none:
        taken.difference_update(selected[each])
    return sorted(taken)
