"""A document's lines as a receipt's: what was taken back is gone, and the amounts come to what was paid."""

from till_agent.frontol_files.documents import Gathering, Goods, Line
from till_loyalty.allocation import allocate


def take_back(goods: list[Goods], code: str, quantity: int, final_minor: int) -> bool:
    """Storno: take a quantity of a code off the newest lines of it. False when so much was never registered.

    The line of just this quantity and amount goes first, then lines from the newest on.
    """
    same = [place for place in reversed(range(len(goods))) if goods[place].code == code]
    for place in same:
        if (goods[place].quantity_thousandths, goods[place].final_minor) == (quantity, final_minor):
            del goods[place]
            return True
    if sum(goods[place].quantity_thousandths for place in same) < quantity or not quantity:
        return False
    left, money = quantity, final_minor
    for place in same:
        each = goods[place]
        part = min(left, each.quantity_thousandths)
        if part == each.quantity_thousandths:
            money -= each.final_minor
            del goods[place]
        else:
            each.quantity_thousandths -= part
            each.final_minor = max(0, each.final_minor - max(0, money))
        left -= part
        if not left:
            break
    return True


def lines_of(gathered: Gathering, total_minor: int) -> tuple[tuple[Line, ...], str]:
    """The lines before points, and the code of what is wrong with their sum ("" when it holds).

    What they must come to follows from the payments: points either paid a part of the total, or were taken off before
    it. A discount or rounding of the whole document that the lines do not carry yet is split over them.
    """
    goods = gathered.goods
    have = sum(each.final_minor for each in goods)
    wanted = _before_points(gathered, total_minor, have)
    if wanted < 0:
        return _plain(goods), "totals_differ"
    missing = wanted - have
    if missing == 0:
        return _plain(goods), ""
    whole_document = gathered.discount_minor + gathered.rounding_minor + gathered.bonus_minor
    if abs(missing) > whole_document or not have:
        return _plain(goods), "totals_differ"
    parts = allocate(abs(missing), [each.final_minor for each in goods])
    sign = 1 if missing > 0 else -1
    return tuple([_line(each, each.final_minor + sign * part) for each, part in zip(goods, parts, strict=True)]), ""


def _before_points(gathered: Gathering, total_minor: int, have: int) -> int:
    """What the goods came to before points; -1 when payments and total contradict each other."""
    bonus = gathered.bonus_minor
    if not bonus:
        return total_minor
    money = sum(each.amount_minor for each in gathered.paid)
    if money + bonus == total_minor:
        return total_minor
    if money == total_minor:
        return total_minor + bonus
    if not gathered.paid:
        return total_minor + bonus if have == total_minor + bonus else total_minor
    return -1


def _plain(goods: list[Goods]) -> tuple[Line, ...]:
    return tuple([_line(each, each.final_minor) for each in goods])


def _line(goods: Goods, amount_minor: int) -> Line:
    return Line(
        code=goods.code, name=goods.name, quantity_thousandths=goods.quantity_thousandths, amount_minor=amount_minor
    )
