"""What a calculation did and why, for the cashier who is asked and for machines: one entry a point, discount, reason.

The entries of `line` 0 tell of the whole receipt, rule by rule; those of a line number tell that line's part of it.
Of each kind that carries figures the entries of line 0 sum to the calculation's totals, and so do those of the lines.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from till_loyalty.explain_words import Words
from till_loyalty.money import WHOLE_PERCENT, minor_points, points_of_percent
from till_loyalty.programme import NO_PERCENT, Programme, Rule
from till_loyalty.results import Accrual, Calculation, DiscountGiven, LineResult, Reason

_Given = TypeVar("_Given", Accrual, DiscountGiven)
Kind = Literal["accrual", "discount", "redemption", "trim", "refusal", "exclusion"]


class Trim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a limit (by its reason's `code`) took away: minor points, or minor money of a discount."""

    code: str
    would: int
    given: int


class Explained(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a calculation did, or did not do. `line` 0: the whole receipt. `text`: for people.

    `rule`: id of the rule, exclusion or coupon. `base_minor`: the money that the rule looked at. `points` (minor) were
    given or spent; `amount_minor` is the money taken off or paid by points. `rounding` is empty where nothing is
    rounded; `round_at` says whether once a receipt or on each line. `trims`: what limits cut from the rule. `code`: the
    reason's, of kinds trim, refusal, exclusion, whose figures are in `numbers`.
    """

    line: int
    kind: Kind
    text: str
    rule: str = ""
    base_minor: int = 0
    points: int = 0
    amount_minor: int = 0
    rounding: str = ""
    round_at: str = ""
    trims: tuple[Trim, ...] = ()
    code: str = ""
    numbers: dict[str, int] = {}


def explain(programme: Programme, calculation: Calculation, language: str) -> tuple[Explained, ...]:
    """Every figure of `calculation` with its rule, base, rounding and trims, in words of `language`.

    In the order of work: exclusions, discounts, redemption, accruals; each rule's sum before its lines, refusals and
    trims beside what they are about. `programme` is the version that the calculation was made by; a rule that it does
    not have is named by its id. Languages other than ru, kk, ky, uk, en are answered in Russian.
    """
    return tuple(_Told(programme, calculation, language).entries())


class _Told:
    """One calculation being told in one language."""

    def __init__(self, programme: Programme, calculation: Calculation, language: str) -> None:
        self.programme = programme
        self.calculation = calculation
        self.words = Words(programme, language)
        self.rules = {rule.id: rule for rule in programme.rules}
        self.coupons = {coupon.id: coupon.title for coupon in programme.coupons}
        self.titles = {rule.id: rule.title for rule in programme.rules}
        self.titles |= {exclusion.id: exclusion.title for exclusion in programme.exclusions}

    def entries(self) -> Iterator[Explained]:
        reasons = [self._reason(each) for each in self.calculation.reasons]
        yield from [each for each in reasons if each.kind == "exclusion"]
        for rule, discounts in _by_rule(self.calculation.discounts):
            yield from self._discounts(rule, discounts)
        if self.calculation.redeemed_points:
            yield from self._redemption()
        for rule, accruals in _by_rule(self.calculation.accruals):
            yield from self._accruals(rule, accruals)
        yield from [each for each in reasons if each.kind != "exclusion"]

    def _title(self, identifier: str, *, coupon: bool = False) -> str:
        titles = self.coupons if coupon else self.titles
        return self.words.title(titles.get(identifier, {}), identifier)

    def _trims(self, rule: str) -> tuple[Trim, ...]:
        return tuple(
            [
                Trim(code=each.code, would=each.numbers["would"], given=each.numbers.get("given", 0))
                for each in self.calculation.reasons
                if each.rule == rule and "would" in each.numbers
            ]
        )

    def _discounts(self, rule_id: str, given: Sequence[DiscountGiven]) -> Iterator[Explained]:
        words, rule = self.words, self.rules.get(rule_id)
        base, amount = sum([each.base_minor for each in given]), sum([each.amount_minor for each in given])
        rounding, round_at = "", ""
        terms = None if rule is None else rule.discount
        of_percent = terms is not None and (
            terms.percent_basis_points or any(step.percent_basis_points for step in terms.unit_steps)
        )
        if of_percent:
            rounding, round_at = self.programme.discount_rounding, self.programme.discount_round_at
        trims = self._trims(rule_id)
        values = {"rule": self._title(rule_id), "base": words.money(base), "amount": words.money(amount)}
        text = words.say("result", "discount", **values)
        if trims:
            text += words.say("result", "trimmed", would=words.money(trims[0].would))
        yield Explained(
            line=0,
            kind="discount",
            text=text,
            rule=rule_id,
            base_minor=base,
            amount_minor=amount,
            rounding=rounding,
            round_at=round_at,
            trims=trims,
        )
        for each in given:
            values = values | {"base": words.money(each.base_minor), "amount": words.money(each.amount_minor)}
            yield Explained(
                line=each.line,
                kind="discount",
                text=words.say("result", "discount_line", line=each.line, **values),
                rule=rule_id,
                base_minor=each.base_minor,
                amount_minor=each.amount_minor,
                rounding=rounding,
                round_at=round_at,
            )

    def _redemption(self) -> Iterator[Explained]:
        words, result = self.words, self.calculation
        paid = [line for line in result.lines if line.redeemed_points or line.paid_by_points_minor]
        trims = tuple(
            [
                Trim(code=each.code, would=each.numbers.get("asked", 0), given=result.redeemed_points)
                for each in result.reasons
                if each.code.startswith("redeem_limited_by")
            ]
        )
        values = {"points": words.points(result.redeemed_points), "amount": words.money(result.redeemed_minor)}
        yield Explained(
            line=0,
            kind="redemption",
            text=words.say("result", "redemption", **values),
            base_minor=sum([_after_discount(line) for line in paid]),
            points=result.redeemed_points,
            amount_minor=result.redeemed_minor,
            trims=trims,
        )
        for line in paid:
            values = {
                "points": words.points(line.redeemed_points),
                "amount": words.money(line.paid_by_points_minor),
                "base": words.money(_after_discount(line)),
            }
            yield Explained(
                line=line.number,
                kind="redemption",
                text=words.say("result", "redemption_line", line=line.number, **values),
                base_minor=_after_discount(line),
                points=line.redeemed_points,
                amount_minor=line.paid_by_points_minor,
            )

    def _accruals(self, rule_id: str, accruals: Sequence[Accrual]) -> Iterator[Explained]:
        words, rule = self.words, self.rules.get(rule_id)
        base, points = sum([each.base_minor for each in accruals]), sum([each.points for each in accruals])
        rounding = self.programme.rounding if rule is not None and _rounds(rule) else ""
        round_at = self.programme.round_at if rounding else ""
        trims = self._trims(rule_id)
        values = {"rule": self._title(rule_id), "base": words.money(base), "points": words.points(points)}
        text = words.say("result", f"accrual_{_way(rule)}", **values, **self._terms(rule))
        if rule is not None:
            text += self._percent_words(rule, accruals, trims)
        if trims:
            text += words.say("result", "trimmed", would=words.points(trims[0].would))
        if accruals[0].active_from:
            text += words.say("result", "active_from", date=words.date(accruals[0].active_from))
        if accruals[0].expires_on:
            text += words.say("result", "expires_on", date=words.date(accruals[0].expires_on))
        yield Explained(
            line=0,
            kind="accrual",
            text=text,
            rule=rule_id,
            base_minor=base,
            points=points,
            rounding=rounding,
            round_at=round_at,
            trims=trims,
        )
        for each in accruals:
            if not each.points:
                continue
            values = values | {"base": words.money(each.base_minor), "points": words.points(each.points)}
            yield Explained(
                line=each.line,
                kind="accrual",
                text=words.say("result", "accrual_line", line=each.line, **values),
                rule=rule_id,
                base_minor=each.base_minor,
                points=each.points,
                rounding=rounding,
                round_at=round_at,
            )

    def _terms(self, rule: Rule | None) -> dict[str, str]:
        """What the sentence of a rule's way of giving says besides rule, base and points."""
        words = self.words
        if rule is None:
            return {}
        if rule.percent_basis_points != NO_PERCENT:
            return {"percent": words.percent(rule.percent_basis_points)}
        if rule.per_money is not None:
            return {"each": words.points(rule.per_money.points), "full": words.money(rule.per_money.per_minor)}
        if rule.per_unit is not None:
            return {"each": words.points(rule.per_unit.points), "full": words.quantity(rule.per_unit.per_thousandths)}
        if rule.multiplier_basis_points is not None:
            return {"percent": words.percent(rule.multiplier_basis_points - WHOLE_PERCENT)}
        return {}

    def _percent_words(self, rule: Rule, accruals: Sequence[Accrual], trims: Sequence[Trim]) -> str:
        """The tier's part and the rounding of a plain percent; of multiples of other rules neither is told."""
        if rule.percent_basis_points == NO_PERCENT:
            return ""
        bases = [each.base_minor for each in accruals]
        if self.programme.round_at == "receipt":
            bases = [sum(bases)]
        would = trims[0].would if trims else sum([each.points for each in accruals])
        # A calculation does not name the tier, so it is told only where it shows: the tier's figure is this one.
        multiplier = WHOLE_PERCENT
        if self._percent_points(rule, bases, WHOLE_PERCENT) != would:
            known = [tier.multiplier_basis_points for tier in self.programme.tiers]
            multiplier = next((each for each in known if self._percent_points(rule, bases, each) == would), 0)
        if not multiplier:
            return ""
        text = ""
        if multiplier != WHOLE_PERCENT:
            text = self.words.say("result", "of_tier", percent=self.words.percent(multiplier))
        numerator = rule.percent_basis_points * multiplier * minor_points(self.programme.points_exponent)
        if any(base * numerator % (WHOLE_PERCENT**2 * self.programme.point_value_minor) for base in bases):
            text += self.words.say("result", f"rounded_{self.programme.rounding}_{self.programme.round_at}")
        return text

    def _percent_points(self, rule: Rule, bases: Sequence[int], multiplier: int) -> int:
        programme = self.programme
        return sum(
            [
                points_of_percent(
                    base * multiplier,
                    rule.percent_basis_points,
                    point_value_minor=programme.point_value_minor * WHOLE_PERCENT,
                    points_exponent=programme.points_exponent,
                    rounding=programme.rounding,
                )
                for base in bases
            ]
        )

    def _reason(self, reason: Reason) -> Explained:
        words = self.words
        rule = self.rules.get(reason.rule)
        of_money = rule is not None and rule.discount is not None
        values = {name: self._figure(name, number, of_money) for name, number in reason.numbers.items()}
        title = self._title(reason.rule, coupon=reason.code.startswith("coupon_"))
        named = {"rule": title, "line": str(reason.line), "reason": reason.code}
        name = reason.code if words.has("reasons", reason.code) else "other"
        trimmed = _kind_of(reason) == "trim"
        given = reason.numbers.get("given", 0) if trimmed else 0
        return Explained(
            line=reason.line,
            kind=_kind_of(reason),
            text=words.say("reasons", name, **(values | named)),
            rule=reason.rule,
            base_minor=reason.numbers.get("base_minor", reason.numbers.get("have_minor", 0)),
            points=0 if of_money else given,
            amount_minor=given if of_money else 0,
            code=reason.code,
            numbers=reason.numbers,
        )

    def _figure(self, name: str, number: int, of_money: bool) -> str:
        if name == "code":
            return str(number)
        if name.endswith("_minor") or (of_money and name in ("would", "given")):
            return self.words.money(number)
        return self.words.points(number)


def _by_rule(given: Sequence[_Given]) -> list[tuple[str, list[_Given]]]:
    """What each rule gave, rules in the order in which they acted."""
    grouped: dict[str, list[_Given]] = {}
    for each in given:
        grouped.setdefault(each.rule, []).append(each)
    return list(grouped.items())


def _after_discount(line: LineResult) -> int:
    return line.amount_minor - line.discount_minor


def _rounds(rule: Rule) -> bool:
    """Whether what the rule gives is the outcome of a division that the programme rounds."""
    if rule.percent_basis_points != NO_PERCENT:
        return True
    return rule.multiplier_basis_points is not None or any(step.percent_basis_points for step in rule.steps)


def _way(rule: Rule | None) -> str:
    """The rule's way of giving, as the sentences are named."""
    if rule is None:
        return "other"
    if rule.percent_basis_points != NO_PERCENT:
        return "percent"
    if rule.steps:
        return "steps"
    if rule.multiplier_basis_points is not None:
        return "multiplier"
    if rule.per_money is not None:
        return "per_money"
    return "per_unit" if rule.per_unit is not None else "fixed"


def _kind_of(reason: Reason) -> Kind:
    """Exclusions speak of a line; trims say what is given instead; whatever else gives nothing is a refusal."""
    if reason.code.startswith("line_"):
        return "exclusion"
    return "trim" if reason.numbers.get("given") else "refusal"
