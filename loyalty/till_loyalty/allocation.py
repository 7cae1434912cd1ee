"""Splitting an amount over lines so that the parts are whole and sum to it exactly.

Largest remainder (Hamilton): each line gets the whole part of its exact share; the units left over go to the largest
fractions, a tie to the lower line. With caps: lines whose exact share reaches their cap take the cap, and what is left
is split over the others by the same rule. Work grows as n log n.
"""

from collections.abc import Sequence

from till_loyalty.exceptions import invariant


def allocate(
    amount: int, weights: Sequence[int], *, caps: Sequence[int] | None = None, numbers: Sequence[int] | None = None
) -> list[int]:
    """Parts of `amount` in proportion to `weights`, none above its cap, summing to `amount` exactly.

    Weights and caps are 0 or more. `numbers` are the line numbers that settle ties (default: the order given).
    InvariantError when the amount is negative, has no weight to go to, or is more than the caps of the weighted lines.
    """
    invariant(amount >= 0, f"expected an amount of 0 or more to split, not {amount}")
    if amount == 0:
        return [0] * len(weights)
    whole = sum(weights)
    invariant(whole > 0, "expected a weight above 0 to split an amount over")
    if caps is None or all(amount * weight <= cap * whole for weight, cap in zip(weights, caps, strict=True)):
        parts = [0] * len(weights)
        _largest_remainder(amount, whole, weights, range(len(weights)), numbers, parts)
        return parts
    return _allocate_within(amount, whole, weights, caps, numbers)


def _largest_remainder(
    amount: int,
    whole: int,
    weights: Sequence[int],
    lines: Sequence[int],
    numbers: Sequence[int] | None,
    parts: list[int],
) -> None:
    """Split `amount` over `lines` (indexes), whose weights sum to `whole`, into `parts`."""
    given = 0
    for index in lines:
        parts[index] = part = amount * weights[index] // whole
        given += part
    left_over = amount - given
    if left_over:  # of the units left over there are fewer than lines with a remainder: none goes to one without
        places = numbers or range(len(weights))
        fractions = sorted([(-(amount * weights[index] % whole), places[index], index) for index in lines])
        for _, _, index in fractions[:left_over]:
            parts[index] += 1


def _allocate_within(
    amount: int, whole: int, weights: Sequence[int], caps: Sequence[int], numbers: Sequence[int] | None
) -> list[int]:
    """The same under caps: fill lines in the order in which a rising level would reach their caps."""
    parts = [0] * len(weights)
    # Two different fractions with denominators below 2**bits differ by more than 2**-(2*bits): the shifted quotient
    # orders caps[i]/weights[i] exactly, without the cost of Fraction.
    shift = 2 * max(weights).bit_length() + 1
    order = sorted(
        (index for index, weight in enumerate(weights) if weight),
        key=lambda index: (caps[index] << shift) // weights[index],
    )
    left, weight_left = amount, whole
    for position, index in enumerate(order):
        if left * weights[index] < caps[index] * weight_left:
            _largest_remainder(left, weight_left, weights, order[position:], numbers, parts)
            return parts
        parts[index] = caps[index]
        left -= caps[index]
        weight_left -= weights[index]
    invariant(left == 0, f"expected an amount within the caps, not {left} more")
    return parts
