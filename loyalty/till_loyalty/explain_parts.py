"""The parts of a rule in plain words: what it gives, when, where, for whom, how much at most, for how long."""

from collections.abc import Iterator

from till_loyalty.explain_words import Words
from till_loyalty.money import WHOLE_PERCENT
from till_loyalty.programme import Rule
from till_loyalty.rule_parts import (
    Discount,
    Funding,
    Life,
    Limit,
    Match,
    Need,
    PerMoney,
    Selector,
    Step,
    UnitStep,
    When,
    Who,
)

LISTED = 5
"""SKUs named in a sentence; longer lists are counted."""


class Parts:
    """Parts of sentences in one language; each method gives one or more that a comma can join."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def say(self, name: str, **values: object) -> str:
        """A sentence of the section `programme`."""
        return self.words.say("programme", name, **values)

    def what(self, match: Match | Selector) -> str:
        """The lines that a match takes."""
        parts = [" / ".join(path) for path in match.categories]
        kinds = [kind for kind in ("brands", "labels", "suppliers", "lists") if getattr(match, kind)]
        parts += [self.say(f"match_{kind}", names=self.words.join(getattr(match, kind))) for kind in kinds]
        if match.skus:
            more = len(match.skus) - LISTED
            text = self.say("match_skus", names=self.words.join(match.skus[:LISTED]))
            parts.append(text + (self.say("match_more", count=more) if more > 0 else ""))
        text = "; ".join(parts) or self.say("everything")
        if isinstance(match, Match):
            text += self._price(match)
            text += "".join([self.say("match_all", what=self.what(each)) for each in match.all])
            text += "".join([self.say("match_none", what=self.what(each)) for each in match.none])
        return text

    def _price(self, match: Match) -> str:
        least, most = match.unit_price_from_minor, match.unit_price_to_minor
        if not least and not most:
            return ""
        ends = f"{'_from' if least else ''}{'_to' if most else ''}"
        return self.say(f"match_price{ends}", least=self.words.money(least), most=self.words.money(most))

    def gift(self, rule: Rule) -> Iterator[str]:
        """What a rule that is no plain percent gives."""
        words, what = self.words, self.what(rule.match)
        if rule.discount is not None:
            yield from self._discount(rule.discount, what)
        elif rule.steps:
            yield self.say("rule_steps", what=what, steps="; ".join([self._step(step) for step in rule.steps]))
        elif rule.multiplier_basis_points is not None:
            named = words.join(rule.multiplies) or self.say("earlier_rules")
            percent = words.percent(rule.multiplier_basis_points - WHOLE_PERCENT)
            yield self.say("rule_multiplier", percent=percent, named=named, what=what)
        elif rule.per_money is not None:
            yield self.say("rule_per_money", what=what, each=self._per_money(rule.per_money))
        elif rule.per_unit is not None:
            full = words.quantity(rule.per_unit.per_thousandths)
            yield self.say("rule_per_unit", points=words.points(rule.per_unit.points), full=full, what=what)
        else:
            yield self.say("rule_points", points=words.points(rule.points), what=what)

    def _per_money(self, terms: PerMoney) -> str:
        full = self.words.money(terms.per_minor)
        return self.say("per_money", points=self.words.points(terms.points), full=full)

    def _step(self, step: Step) -> str:
        gives = []
        if step.percent_basis_points:
            gives.append(self.words.percent(step.percent_basis_points))
        if step.per_money is not None:
            gives.append(self._per_money(step.per_money))
        if step.points:
            gives.append(self.words.points(step.points))
        text = self.say("and").join(gives) or self.say("nothing")
        money, quantity = self.words.money(step.from_minor), self.words.quantity(step.from_quantity_thousandths)
        if not step.from_quantity_thousandths:
            return self.say("step", money=money, gives=text)
        name = "step_both" if step.from_minor else "step_quantity"
        return self.say(name, money=money, quantity=quantity, gives=text)

    def _unit_step(self, step: UnitStep) -> str:
        if step.amount_minor:
            text = self.say("discount_step_amount", money=self.words.money(step.amount_minor))
        elif step.percent_basis_points:
            text = self.say("discount_step_percent", percent=self.words.percent(step.percent_basis_points))
        else:
            text = self.say("nothing")
        return self.say("discount_step", unit=step.from_unit, gives=text)

    def _discount(self, terms: Discount, what: str) -> Iterator[str]:
        words = self.words
        if terms.bundle_price_minor is not None:
            price = words.money(terms.bundle_price_minor)
            yield self.say("discount_bundle", units=terms.bundle_units, money=price, what=what)
        elif terms.unit_price_minor is not None:
            yield self.say("discount_unit_price", money=words.money(terms.unit_price_minor), what=what)
        elif terms.unit_steps:
            steps = "; ".join([self._unit_step(step) for step in terms.unit_steps])
            name = "discount_steps_line" if terms.per == "line" else "discount_steps_all"
            yield f"{self.say(name, what=what)}: {steps}"
        elif terms.amount_minor:
            yield self.say(f"discount_{terms.per}", money=words.money(terms.amount_minor), what=what)
        else:
            percent = words.percent(terms.percent_basis_points or WHOLE_PERCENT)
            yield self.say("discount_percent", percent=percent, what=what)
        yield from self._units(terms)
        if terms.maximum_groups:
            yield self.say("discount_groups", times=words.count("times", terms.maximum_groups))
        if terms.maximum_minor:
            yield self.say("discount_most", money=words.money(terms.maximum_minor))

    def _units(self, terms: Discount) -> Iterator[str]:
        """Which units a discount is about, where it is not all."""
        words = self.words
        if terms.get_units and terms.buy is not None:
            bought = self.what(terms.buy)
            yield self.say("discount_get_other", get=terms.get_units, buy=terms.buy_units, bought=bought)
        elif terms.get_units:
            yield self.say("discount_get", get=terms.get_units, group=terms.buy_units + terms.get_units)
        if terms.maximum_units and terms.unit_steps:
            yield self.say("discount_units_counted", units=words.count("units", terms.maximum_units))
        elif terms.maximum_units:
            yield self.say("discount_units", count=terms.maximum_units)
        if terms.maximum_units_per_line:
            yield self.say("discount_units_line", units=words.count("units", terms.maximum_units_per_line))
        if terms.whole_groups_of:
            yield self.say("discount_whole_groups", group=words.count("units", terms.whole_groups_of))

    def conditions(self, rule: Rule) -> Iterator[str]:
        """Each condition and bound of a rule."""
        if rule.when is not None:
            yield from self._when(rule.when)
        if rule.where is not None:
            for kind in ("stores", "regions", "groups", "channels"):
                named = getattr(rule.where, kind)
                if named:
                    yield self.say(f"where_{kind}", names=self.words.join(named))
        if rule.who is not None:
            yield from self._who(rule.who)
        for need in rule.needs:
            yield self._need(need)
        for limit in rule.limits:
            yield self._limit(limit, of_money=rule.discount is not None)
        if rule.life is not None:
            yield self.life(rule.life)
        if rule.funded_by is not None:
            yield self.funding(rule.funded_by)

    def _need(self, need: Need) -> str:
        words, parts = self.words, []
        if need.minimum_sum_minor:
            parts.append(self.say("need_sum", money=words.money(need.minimum_sum_minor)))
        if need.minimum_quantity_thousandths:
            parts.append(self.say("need_quantity", quantity=words.quantity(need.minimum_quantity_thousandths)))
        if need.minimum_different:
            parts.append(words.count("goods", need.minimum_different))
        plain = need.match == Match()
        text = self.say("and").join(parts) or self.say("need_any")
        return self.say("need", needs=text) if plain else self.say("need_of", needs=text, what=self.what(need.match))

    def _when(self, when: When) -> Iterator[str]:
        for moment in (when.from_, when.business_from):
            if moment:
                yield self.say("from_moment", moment=moment)
        for moment in (when.to, when.business_to):
            if moment:
                yield self.say("before_moment", moment=moment)
        if when.weekdays:
            yield self.say("on_days", days=self.words.join([self.say(f"day_{day}") for day in when.weekdays]))
        if when.times:
            spans = [self.say("span", start=span.from_, end=span.to) for span in when.times]
            yield self.say("at_times", spans=self.words.join(spans))

    def _who(self, who: Who) -> Iterator[str]:
        words = self.words
        for names in (who.tiers, who.segments):
            if names:
                yield self.say("for_names", names=words.join(names))
        if who.birthday is not None:
            before, after = who.birthday.days_before, who.birthday.days_after
            if not before and not after:
                yield self.say("birthday")
            else:
                days = {"before": words.count("days", before), "after": words.count("days", after)}
                yield self.say("birthday_around", **days)
        if who.first_purchases:
            yield self.say("first_purchases", count=who.first_purchases)
        if who.purchase_number:
            yield self.say("purchase_number", number=who.purchase_number)
        if who.joined_from:
            yield self.say("joined_from", day=who.joined_from)
        if who.joined_to:
            yield self.say("joined_to", day=who.joined_to)
        if who.silent_days:
            yield self.say("silent", days=words.count("days", who.silent_days))
        if who.coupon:
            yield self.say("with_coupon", coupon=who.coupon)

    def _limit(self, limit: Limit, *, of_money: bool) -> str:
        words = self.words
        parts = []
        if limit.amount:
            parts.append(words.money(limit.amount) if of_money else words.points(limit.amount))
        if limit.uses:
            parts.append(words.count("times", limit.uses))
        text = self.say("limit", most=self.say("and").join(parts), per=self.say(f"per_{limit.per}"))
        return text if limit.offline == "allow" else text + self.say(f"limit_offline_{limit.offline}")

    def life(self, terms: Life) -> str:
        """When points live."""
        words, parts = self.words, []
        if terms.activates_after_days:
            parts.append(self.say("life_active", days=words.count("days", terms.activates_after_days)))
        if terms.expires_after_days:
            parts.append(self.say("life_ends", time=words.count("days", terms.expires_after_days)))
        if terms.expires_after_months:
            parts.append(self.say("life_ends", time=words.count("months", terms.expires_after_months)))
        if terms.expires_on:
            parts.append(self.say("life_ends_on", day=terms.expires_on))
        return ", ".join(parts) or self.say("life_forever")

    def funding(self, terms: Funding) -> str:
        """Who pays for what is given."""
        return self.say("funded", supplier=terms.supplier, percent=self.words.percent(terms.share_basis_points))
