"""Which lines each match takes, for many matches in one pass over the receipt."""

from collections.abc import Sequence

from till_loyalty.programme import Match
from till_loyalty.receipt import Line


class Matcher:
    """An index of matches by SKU and by category path prefix.

    Work grows with the lines plus what they match, never with lines times matches.
    """

    __slots__ = ("_by_prefix", "_by_sku", "_everything", "_matches", "_prefix_lengths")

    def __init__(self, matches: Sequence[Match]) -> None:
        by_sku: dict[str, list[int]] = {}
        by_prefix: dict[tuple[str, ...], list[int]] = {}
        everything = []
        for position, match in enumerate(matches):
            if not match.skus and not match.categories:
                everything.append(position)
            for sku in match.skus:
                by_sku.setdefault(sku, []).append(position)
            for category in match.categories:
                by_prefix.setdefault(category, []).append(position)
        self._matches = len(matches)
        self._everything = tuple(everything)
        self._by_sku = by_sku
        self._by_prefix = by_prefix
        self._prefix_lengths = tuple(sorted({len(prefix) for prefix in by_prefix}))

    def select(self, lines: Sequence[Line]) -> list[list[int]]:
        """For each match, the indexes of its lines, ascending, each once however often the match names it."""
        selected: list[list[int]] = [[] for _ in range(self._matches)]
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
        if self._everything:
            every_line = list(range(len(lines)))
            for position in self._everything:
                selected[position] = every_line
        return selected
