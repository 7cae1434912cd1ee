"""A programme in plain words of the five languages, for the manager who signs it."""

from collections.abc import Iterator

from till_loyalty.explain_parts import Parts
from till_loyalty.explain_words import Words
from till_loyalty.money import WHOLE_PERCENT
from till_loyalty.plan import plan_of
from till_loyalty.programme import NO_PERCENT, CardRange, Event, Exclusion, Programme, Rule, Tier
from till_loyalty.rule_parts import Coupon


def explain_programme(programme: Programme, language: str = "en") -> Iterator[str]:
    """Lines of text, in the order of work; rules as the engine takes them. Other languages than ours: Russian."""
    return _Told(programme, language).lines()


class _Told:
    """One programme being told in one language."""

    def __init__(self, programme: Programme, language: str) -> None:
        self.programme = programme
        self.words = Words(programme, language)
        self.parts = Parts(self.words)

    def say(self, name: str, **values: object) -> str:
        return self.words.say("programme", name, **values)

    def lines(self) -> Iterator[str]:
        programme = self.programme
        yield self.say("head", id=programme.id, version=programme.version)
        for line in self._figures():
            yield f"  {line}"
        yield from self._listed("exclusions", [f"{each.id}: {self._exclusion(each)}" for each in programme.exclusions])
        yield from self._listed("redemption", list(self._redemption()))
        rules = [f"{number}. {rule.id}: {self._rule(rule)}" for number, rule in enumerate(plan_of(programme).rules, 1)]
        yield from self._listed("rules", rules)
        if programme.tiers:
            yield from self._listed("tiers", [f"{tier.id}: {self._tier(tier)}" for tier in programme.tiers])
        if programme.coupons:
            yield from self._listed("coupons", [f"{each.id}: {self._coupon(each)}" for each in programme.coupons])
        if programme.events:
            yield from self._listed("events", [f"{each.id}: {self._event(each)}" for each in programme.events])
        yield from self._listed("registration", list(self._registration()))
        yield from self._listed("identifiers", list(self._identifiers()))

    def _listed(self, name: str, lines: list[str]) -> Iterator[str]:
        """A heading with its lines, or the sentence that there is none."""
        yield self.say(name if lines else f"{name}_none")
        for line in lines:
            yield f"  {line}"

    def _figures(self) -> Iterator[str]:
        programme, words = self.programme, self.words
        smallest = words.number(1)
        part = self.say("smallest_whole") if smallest == "1" else self.say("smallest_part", number=smallest)
        yield self.say("point_value", money=words.money(programme.point_value_minor)) + " " + part
        yield self.say(
            "base",
            base=self.say(f"base_{programme.earn_base}"),
            rounding=self.say(f"rounding_{programme.rounding}"),
            where=self.say(f"round_at_{programme.round_at}"),
        )
        yield self.say("returns", policy=self.say(f"returns_{programme.return_policy}"))
        if programme.return_grace_days:
            yield self.say("return_grace", days=words.count("days", programme.return_grace_days))
        if programme.life is not None:
            yield self.say("life", life=self.parts.life(programme.life))

    def _exclusion(self, exclusion: Exclusion) -> str:
        what = self.parts.what(exclusion.match)
        if exclusion.legal:
            return self.say("excluded_by_law", what=what)
        if exclusion.earn and exclusion.redeem:
            return self.say("excluded", what=what)
        return self.say("excluded_from_earning" if exclusion.earn else "excluded_from_paying", what=what)

    def _redemption(self) -> Iterator[str]:
        terms, words = self.programme.redemption, self.words
        if not terms.enabled:
            return
        yield self.say("redeem_share", percent=words.percent(terms.max_share_basis_points))
        yield self.say("redeem_step", number=words.number(plan_of(self.programme).unit_points))
        if terms.minimum_balance_points:
            yield self.say("redeem_from_balance", number=words.number(terms.minimum_balance_points))
        if terms.minimum_line_price_minor:
            yield self.say("redeem_line_price", money=words.money(terms.minimum_line_price_minor))
        if terms.maximum_receipt_minor:
            yield self.say("redeem_ceiling", money=words.money(terms.maximum_receipt_minor))
        if terms.proof:
            ways = "_or_".join(sorted(set(terms.proof)))
            yield self.say(f"redeem_proof_{ways}", points=words.points(terms.proof_above_points))
        yield from self._redemption_offline()

    def _redemption_offline(self) -> Iterator[str]:
        terms, words = self.programme.redemption, self.words
        if terms.offline == "refuse":
            yield self.say("redeem_offline_refuse")
            return
        if terms.lending.share_basis_points:
            yield self.say("redeem_offline_grant", percent=words.percent(terms.lending.share_basis_points))
        if terms.offline == "floor" and terms.floor is not None:
            floor = terms.floor
            member, till = words.points(floor.member_points), words.points(floor.till_points)
            yield self.say("redeem_offline_floor", member=member, till=till, hours=str(floor.hours))
            if floor.sale_points:
                yield self.say("redeem_floor_sale", points=words.points(floor.sale_points))

    def _rule(self, rule: Rule) -> str:
        parts, words = self.parts, self.words
        if rule.percent_basis_points == NO_PERCENT:
            told = list(parts.gift(rule))
        else:
            percent = words.percent(rule.percent_basis_points)
            told = [self.say("rule_percent", percent=percent, what=parts.what(rule.match))]
        told += parts.conditions(rule)
        if rule.minimum_sum_minor:
            told.append(self.say("from_sum", money=words.money(rule.minimum_sum_minor)))
        if rule.tiers:
            told.append(self.say("for_names", names=words.join(rule.tiers)))
        if rule.stack == "best_of_group":
            of = "discount" if rule.discount is not None else "points"
            told.append(self.say(f"best_{of}", group=rule.group))
        elif rule.stack == "exclusive":
            told.append(self.say("exclusive_discount" if rule.discount is not None else "exclusive_points"))
        return ", ".join(told)

    def _tier(self, tier: Tier) -> str:
        told = []
        if tier.id == self.programme.tiers[0].id:
            told.append(self.say("tier_first"))
        if tier.by_hand:
            told.append(self.say("tier_by_hand"))
        elif tier.from_spend_minor:
            period = self.say(f"tier_period_{self.programme.tier_period or 'life'}")
            told.append(self.say("tier_from_spend", money=self.words.money(tier.from_spend_minor), period=period))
        percent = self.words.percent(tier.multiplier_basis_points)
        as_is = tier.multiplier_basis_points == WHOLE_PERCENT
        told.append(self.say("tier_as_is") if as_is else self.say("tier_multiplier", percent=percent))
        return ", ".join(told)

    def _coupon(self, coupon: Coupon) -> str:
        told = [self.say("coupon_codes", codes=self.words.join(coupon.codes))]
        if coupon.assigned:
            told.append(self.say("coupon_assigned"))
        if coupon.uses_per_member:
            told.append(self.say("coupon_per_member", times=self.words.count("times", coupon.uses_per_member)))
        if coupon.uses_per_code:
            told.append(self.say("coupon_per_code", times=self.words.count("times", coupon.uses_per_code)))
        if coupon.valid_from:
            told.append(self.say("from_moment", moment=coupon.valid_from))
        if coupon.valid_to:
            told.append(self.say("before_moment", moment=coupon.valid_to))
        if coupon.offline:
            told.append(self.say(f"coupon_offline_{coupon.offline}"))
        told.append(self.say(f"coupon_returns_{coupon.returns}"))
        return ", ".join(told)

    def _event(self, event: Event) -> str:
        told = [self.say(f"event_{event.on}", points=self.words.points(event.points))]
        if event.tiers:
            told.append(self.say("for_names", names=self.words.join(event.tiers)))
        if event.minimum_sum_minor:
            told.append(self.say("from_sum", money=self.words.money(event.minimum_sum_minor)))
        if event.days_before:
            told.append(self.say("event_days_before", days=self.words.count("days", event.days_before)))
        if event.from_date:
            told.append(self.say("from_moment", moment=event.from_date))
        if event.to_date:
            told.append(self.say("before_moment", moment=event.to_date))
        if event.maximum:
            told.append(self.say("event_maximum", times=self.words.count("times", event.maximum)))
        if event.life is not None:
            told.append(self.parts.life(event.life))
        if event.funded_by is not None:
            told.append(self.parts.funding(event.funded_by))
        return ", ".join(told)

    def _registration(self) -> Iterator[str]:
        terms = self.programme.registration
        if not terms.enabled:
            return
        yield self.say(
            "registration_consent", version=terms.consent_version, languages=", ".join(sorted(terms.consent)) or "-"
        )
        yield self.say("registration_code" if terms.code else "registration_no_code")
        if terms.ask:
            yield self.say("registration_ask", names=self.words.join([self.say(f"ask_{each}") for each in terms.ask]))

    def _identifiers(self) -> Iterator[str]:
        identifiers = self.programme.identifiers
        yield self.say("phone", countries=self.words.join(identifiers.phone_countries))
        for card_range in identifiers.cards:
            yield self.say("card", card=self._card(card_range))
        if identifiers.rotating is not None:
            times = identifiers.rotating
            yield self.say("rotating", seconds=times.period_seconds, window=times.window_seconds)

    def _card(self, card_range: CardRange) -> str:
        lengths = self.say("or").join(str(length) for length in card_range.lengths)
        told = [self.say("card_digits", lengths=lengths)]
        if card_range.prefix:
            told.append(self.say("card_prefix", prefix=card_range.prefix))
        if card_range.check != "none":
            told.append(self.say("card_check", check={"ean13": "EAN-13", "luhn": "Luhn"}[card_range.check]))
        if card_range.strip_prefix:
            told.append(self.say("card_strip", prefix=card_range.strip_prefix))
        if card_range.rotating_only:
            told.append(self.say("card_rotating_only"))
        return ", ".join(told)
