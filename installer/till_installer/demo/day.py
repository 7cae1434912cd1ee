"""The demo's receipts: one local day of a grocery chain, as cash software would send them, rung up as if it were today.

Source and licence: `data/ORIGIN.md`. Amounts become whole cents, quantities whole thousandths, without a float.
"""

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

TIME_ZONE = "America/New_York"
FUEL = "FUEL"


@dataclass(frozen=True)
class DayReceipt:
    """One basket: `lines` are ready JSON lines of the bridge, `local_time` is the store's."""

    uid: str
    household: int
    store: str
    local_time: str
    lines: tuple[dict[str, object], ...]
    total_minor: int
    coupon_minor: int


def cents(text: str) -> int:
    """`"12.30"` -> 1230, exactly; ValueError for anything with more than two decimals."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > 2:
        raise ValueError(f"expected at most two decimals, not {text!r}")
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 100 + int(fraction.ljust(2, "0") or "0"))


def _rows(name: str) -> list[dict[str, str]]:
    packed = files("till_installer.demo").joinpath("data", name).read_bytes()
    return list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode("utf-8"))))


def _line(row: dict[str, str], product: dict[str, str] | None) -> dict[str, object]:
    levels = ("department", "product_category", "product_type")
    path = [part for level in levels if (part := (product or {}).get(level, ""))]
    whole_units = int(row["quantity"])
    line: dict[str, object] = {
        "number": int(row["line_no"]),
        "sku": row["product_id"],
        "amount_minor": cents(row["sales_value"]),
        # The source counts fuel in thousandths already.
        "quantity_thousandths": whole_units if path[:1] == [FUEL] else whole_units * 1000,
    }
    if path:
        line |= {"category": path, "name": path[-1].title()}
    return line


def today() -> date:
    """The store's day: points, tiers and birthdays are of now, whatever day the receipts come from."""
    return datetime.now(ZoneInfo(TIME_ZONE)).date()


def load_day(day: date) -> list[DayReceipt]:
    """All 628 receipts in the order in which they were rung up, at their times of that day."""
    products = {row["product_id"]: row for row in _rows("products_2017-12-23.csv.gz")}
    baskets: dict[str, list[dict[str, str]]] = {}
    for row in _rows("all_households_2017-12-23_local.csv.gz"):
        baskets.setdefault(row["basket_id"], []).append(row)
    zone = ZoneInfo(TIME_ZONE)
    receipts = []
    for basket, rows in baskets.items():
        local = datetime.fromisoformat(rows[0]["ts_utc"]).astimezone(zone)
        total = sum(cents(row["sales_value"]) for row in rows)
        coupons = min(total, sum(cents(row["coupon_disc"]) for row in rows))
        receipts.append(
            DayReceipt(
                uid=f"cj-{basket}",
                household=int(rows[0]["household_id"]),
                store=rows[0]["store_id"],
                local_time=f"{day.isoformat()}T{local:%H:%M:%S}",
                lines=tuple(_line(row, products.get(row["product_id"])) for row in rows),
                total_minor=total,
                coupon_minor=coupons,
            )
        )
    return sorted(receipts, key=lambda receipt: (receipt.local_time, receipt.uid))
