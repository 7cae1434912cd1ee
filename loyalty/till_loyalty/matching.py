"""Which lines each match takes, for many matches in one pass over the receipt."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from till_loyalty.receipt import Line
from till_loyalty.rule_parts import Match, NamedList, Selector

Lists = Mapping[str, NamedList]
_Key = TypeVar("_Key", str, tuple[str, ...])
UNIT = 1000
"""Thousandths of a whole unit."""


class _Extra(NamedTuple):
    """What a match asks beyond having any of its names: positions that must, and must not, have taken the line."""

    all: tuple[int, ...]
    none: tuple[int, ...]
    price_from: int
    price_to: int


def is_everything(match: Match | Selector) -> bool:
    """Whether nothing is named, so that every line is meant."""
    return not (match.skus or match.categories or match.brands or match.labels or match.suppliers or match.lists)


class Matcher:
    """An index of matches by SKU, category path prefix, brand, label and supplier.

    Work grows with the lines plus what they match, never with lines times matches nor with all matches there are.
    """

    __slots__ = (
        "_by_brand",
        "_by_label",
        "_by_prefix",
        "_by_sku",
        "_by_supplier",
        "_extras",
        "_matches",
        "_positions",
        "_prefix_lengths",
        "_through",
        "everything",
    )

    def __init__(self, matches: Sequence[Match], lists: Lists | None = None) -> None:
        self._by_sku: dict[str, list[int]] = {}
        self._by_prefix: dict[tuple[str, ...], list[int]] = {}
        self._by_brand: dict[str, list[int]] = {}
        self._by_label: dict[str, list[int]] = {}
        self._by_supplier: dict[str, list[int]] = {}
        self._extras: dict[int, _Extra] = {}
        # Matches that name nothing but must have something of a selector are looked at when that selector took a line.
        self._through: dict[int, list[int]] = {}
        self._matches = self._positions = len(matches)
        known = lists or {}
        everything: list[int] = []
        for position, match in enumerate(matches):
            self._index(match, position, known)
            every = tuple([self._selector(each, known) for each in match.all])
            if is_everything(match):
                if every:
                    self._through.setdefault(every[0], []).append(position)
                else:
                    everything.append(position)
            none = tuple([self._selector(each, known) for each in match.none])
            extra = _Extra(every, none, match.unit_price_from_minor, match.unit_price_to_minor)
            if any(extra):
                self._extras[position] = extra
        self.everything = tuple(everything)
        self._prefix_lengths = tuple(sorted({len(prefix) for prefix in self._by_prefix}))

    def _selector(self, selector: Selector, lists: Lists) -> int:
        position = self._positions
        self._positions += 1
        self._index(selector, position, lists)
        return position

    def _index(self, names: Match | Selector, position: int, lists: Lists) -> None:
        for named in (names, *[lists[each] for each in names.lists if each in lists]):
            _enter(self._by_sku, named.skus, position)
            _enter(self._by_prefix, named.categories, position)
            _enter(self._by_brand, named.brands, position)
            _enter(self._by_label, named.labels, position)
            _enter(self._by_supplier, named.suppliers, position)

    def select(self, lines: Sequence[Line], *, everything: Sequence[int] | None = None) -> dict[int, list[int]]:
        """By match, the indexes of its lines, ascending, each once; matches that take no line are not there.

        `everything`: which of the matches of every line are wanted (default: all of them).
        """
        selected = self._named(lines)
        for selector, positions in self._through.items():
            if selector in selected:
                for position in positions:
                    selected[position] = selected[selector]
        if lines:
            every_line = list(range(len(lines)))
            for position in self.everything if everything is None else everything:
                selected[position] = every_line
        if self._extras:
            self._narrow(selected, lines)
        return selected

    def _named(self, lines: Sequence[Line]) -> dict[int, list[int]]:
        """By match, the indexes of the lines that it names: by SKU, each prefix of the category, and the rest."""
        selected: dict[int, list[int]] = {}
        by_sku, by_prefix, lengths = self._by_sku, self._by_prefix, self._prefix_lengths
        has_facts = bool(self._by_brand or self._by_label or self._by_supplier)
        for index, line in enumerate(lines):
            found = self._by_facts(line) if has_facts else []
            if by_sku and line.sku in by_sku:
                found.append(by_sku[line.sku])
            category = line.category
            for length in lengths:
                if length > len(category):
                    break
                named = by_prefix.get(category[:length])
                if named is not None:
                    found.append(named)
            for positions in found:
                for position in positions:
                    taken = selected.get(position)
                    if taken is None:
                        selected[position] = [index]
                    elif taken[-1] != index:
                        taken.append(index)
        return selected

    def _by_facts(self, line: Line) -> list[list[int]]:
        """Positions of the matches that name the line by its brand, supplier or labels."""
        found = []
        if line.brand in self._by_brand:
            found.append(self._by_brand[line.brand])
        if line.supplier in self._by_supplier:
            found.append(self._by_supplier[line.supplier])
        if self._by_label:
            found += [self._by_label[label] for label in line.labels if label in self._by_label]
        return found

    def _narrow(self, selected: dict[int, list[int]], lines: Sequence[Line]) -> None:
        """Take out of each match with extras what they don't leave."""
        extras = self._extras
        for position in [each for each in selected if each in extras]:
            left = _narrowed(selected, position, extras[position], lines)
            if left:
                selected[position] = left
            else:
                del selected[position]


def _enter(index: dict[_Key, list[int]], keys: Sequence[_Key], position: int) -> None:
    for key in keys:
        positions = index.setdefault(key, [])
        if not positions or positions[-1] != position:
            positions.append(position)


def _narrowed(selected: dict[int, list[int]], position: int, extra: _Extra, lines: Sequence[Line]) -> list[int]:
    left = selected[position]
    for each in extra.all:
        if each not in selected:
            return []
        having = set(selected[each])
        left = [index for index in left if index in having]
    for each in extra.none:
        if each in selected:
            barred = set(selected[each])
            left = [index for index in left if index not in barred]
    if extra.price_from or extra.price_to:
        left = [index for index in left if _has_price(lines[index], extra)]
    return left


def _has_price(line: Line, extra: _Extra) -> bool:
    """Whether the line's price of one unit, before our discounts, is within the range, both ends included."""
    quantity, worth = line.quantity_thousandths, line.amount_minor * UNIT
    if not quantity or worth < extra.price_from * quantity:
        return False
    return not extra.price_to or worth <= extra.price_to * quantity
