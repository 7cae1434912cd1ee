"""What the person at the screen sees: live progress, the summary, and the last line of JSON."""

import json
import statistics
from collections.abc import Sequence

from till_installer.demo.check import Verdict
from till_installer.demo.play import Day


def percentile(values: Sequence[float], percent: int) -> float:
    """Nearest-rank percentile, to the microsecond; 0.0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 3)


def median(values: Sequence[float]) -> float:
    """Median to the microsecond; 0.0 of nothing."""
    return round(statistics.median(values), 3) if values else 0.0


def summary_line(day: Day, verdict: Verdict, members: int, sync: dict[str, int], slips: int) -> str:
    """The last line: one JSON object, keys as documented in docs/tutorial/demo.md."""
    return json.dumps(
        {
            "receipts": len(day.acknowledged),
            "members": members,
            "sold_offline": day.sold_offline,
            "queue_peak": day.queue_peak,
            "redeemed_offline": day.redeemed_offline,
            "pushed": sync["pushed"],
            "resent": sync["resent"],
            "lost": verdict.lost,
            "double_applied": verdict.double_applied,
            "adjusted": verdict.adjusted,
            "coupons_used": day.coupons_used,
            "discount_minor": day.discount_minor,
            "birthdays": day.birthdays,
            "tier_moves": verdict.tier_moves,
            "balances_checked": verdict.balances_checked,
            "balances_equal": verdict.balances_equal,
            "points_till": verdict.points_till,
            "points_cloud": verdict.points_cloud,
            "slips_printed": slips,
            "identify_ms_p50": median(day.identify_ms),
            "quote_ms_p50": median(day.quote_ms),
            "sale_ms_p50": median(day.sale_ms),
            "sale_ms_p99": percentile(day.sale_ms, 99),
        }
    )


def rows(day: Day, verdict: Verdict, members: int, sync: dict[str, int], slips: int) -> list[tuple[str, str]]:
    """The readable summary, a row a fact."""
    return [
        ("Receipts sold", f"{len(day.acknowledged)} to {members} members"),
        ("Sold with the line cut", f"{day.sold_offline}, at most {day.queue_peak} operations waiting"),
        (
            "Paid in part by points",
            f"{day.redeemed_receipts} receipts, {day.redeemed_offline} with the line cut",
        ),
        ("Spending refused offline", f"{day.redemptions_refused_offline} times, with a reason for the cashier"),
        ("Voids and returns", str(len(day.reversed))),
        ("Coupons shown / taken", f"{day.coupons_shown} / {day.coupons_used}, {day.discount_minor} cents off"),
        ("Birthdays", f"{day.birthdays} receipts with 14 %"),
        ("Members who reached a tier", str(verdict.tier_moves)),
        ("Counted otherwise by the cloud", str(verdict.adjusted)),
        ("Brought to the cloud", f"{sync['pushed']} operations, {sync['resent']} of them sent more than once"),
        ("Lost / applied twice", f"{verdict.lost} / {verdict.double_applied}"),
        ("Balances compared", f"{verdict.balances_checked}, {'all equal' if verdict.balances_equal else 'NOT EQUAL'}"),
        ("Points by journal / by ledger", f"{verdict.points_till} / {verdict.points_cloud}"),
        ("Slips printed", str(slips)),
        ("Identify, quote (median)", f"{median(day.identify_ms)} ms, {median(day.quote_ms)} ms"),
        ("Sale (median, 99 %)", f"{median(day.sale_ms)} ms, {percentile(day.sale_ms, 99)} ms"),
    ]
