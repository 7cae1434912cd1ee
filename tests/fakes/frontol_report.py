"""Writes sales reports as Frontol does, from a till of its own reckoning: nothing of the reader is used here."""

from dataclasses import dataclass, field
from pathlib import Path

ENTERPRISE = "1"


def decimal(minor: int, digits: int = 2, point: str = ",") -> str:
    """`53,17`, without zeros at the end, as Frontol leaves them out."""
    sign, value = ("-" if minor < 0 else ""), abs(minor)
    whole, fraction = divmod(value, 10**digits)
    tail = str(fraction).rjust(digits, "0").rstrip("0") if digits else ""
    return f"{sign}{whole}{point}{tail}" if tail else f"{sign}{whole}"


@dataclass
class FrontolTill:
    """A till and its report. Each method writes rows; `number` counts them, as field 1 does."""

    workplace: int = 1
    shift: int = 466
    database: str = "1"
    report: str = "466"
    day: str = "22.11.2026"
    point: str = ","
    number: int = 1000
    document: int = 100
    operation: int = 0
    minute: int = 0
    rows: list[str] = field(default_factory=list)

    def row(self, kind: int, fields: dict[int, object], length: int = 43) -> str:
        """One row; fields that are not given are empty, and a `;` ends it."""
        self.number += 1
        clock = f"{9 + self.minute // 60}:{self.minute % 60:02d}:05"
        common: dict[int, object] = {
            1: self.number, 2: self.day, 3: clock, 4: kind, 5: self.workplace, 6: self.document, 7: 3,
            13: self.operation, 14: self.shift, 23: 1,
            26: f"{self.workplace}/{self.shift}/{self.document}", 27: ENTERPRISE,
        }  # fmt: skip
        told = common | fields
        text = ";".join(str(told.get(place, "")) for place in range(1, length + 1)) + ";"
        self.rows.append(text)
        return text

    def money(self, minor: int) -> str:
        """An amount."""
        return decimal(minor, 2, self.point)

    def begin(self, *cards: str, operation: int = 0) -> None:
        """Open the next document."""
        self.document += 1
        self.minute += 1
        self.operation = operation
        self.row(42, {8: "|".join(cards)})

    def line(
        self, code: str, quantity: int, amount: int, *, before: int | None = None, kind: int = 11, barcode: str = ""
    ) -> None:
        """A line of `quantity` thousandths, for `amount` after discounts."""
        full = amount if before is None else before
        price = full * 1000 // quantity if quantity else full
        self.row(
            kind,
            {
                8: code, 10: self.money(price), 11: decimal(quantity, 3, self.point), 12: self.money(full),
                15: self.money(price), 16: self.money(amount), 17: 0, 19: barcode, 20: self.money(full),
            },
        )  # fmt: skip
        # What the cash register and the taxes say of it: never to be added.
        if kind in (1, 11):
            self.row(16 if kind == 11 else 6, {8: code, 11: decimal(quantity, 3, self.point), 16: self.money(amount)})
            self.row(14 if kind == 11 else 4, {8: code, 12: self.money(amount // 6), 16: self.money(amount)})

    def pay(self, amount: int, kind: int = 0, change: int = 0) -> None:
        """Money, its change, and its split over groups."""
        self.row(40, {9: 1, 10: kind, 11: self.money(amount + change), 12: self.money(amount + change)})
        if change:
            self.row(40, {9: 1, 10: kind, 11: self.money(-change), 12: self.money(-change)})
        self.row(43, {9: 1, 10: kind, 11: self.money(amount), 12: self.money(amount), 17: 1})

    def bonus(self, amount: int, *, external: bool = True) -> None:
        """Paid by points, and its split over lines."""
        self.row(32, {10: int(external), 12: self.money(amount), 29: 77})
        self.row(82, {10: int(external), 12: self.money(amount), 29: 77})

    def close(
        self, total: int, *cards: str, kind: int = 55, user_values: str = "", earned: int | None = None, base: str = ""
    ) -> int:
        """Close it, with the rows that follow a close. Gives the number of the row that closed it."""
        self.row(45, {12: self.money(total), 19: "0009841886049318", 26: "17/18/19", 29: 171}, length=44)
        self.row(49, {12: self.money(total), 17: 1})
        self.row(
            kind,
            {
                8: "|".join(cards), 11: "1", 12: self.money(total), 16: self.money(total),
                18: "" if earned is None else self.money(earned), 20: self.money(total), 25: base, 34: user_values,
            },
        )  # fmt: skip
        return self.number

    def sale(
        self, *cards: str, lines: tuple[tuple[str, int, int], ...] = (("milk", 1000, 10_000),), user_values: str = ""
    ) -> int:
        """A plain sale paid in cash. Gives its document's number."""
        self.begin(*cards)
        for code, quantity, amount in lines:
            self.line(code, quantity, amount)
        total = sum(amount for _, _, amount in lines)
        self.pay(total, change=500)
        self.close(total, *cards, user_values=user_values)
        return self.document

    def text(self, mark: str = "#", newline: str = "\r\n") -> str:
        """The whole report."""
        return newline.join([mark, self.database, self.report, *self.rows]) + newline

    def write(self, path: Path, *, encoding: str = "cp1251", mark: str = "#") -> Path:
        """Write it in one go."""
        path.write_bytes(self.text(mark).encode(encoding))
        return path

    @property
    def uid(self) -> str:
        """What the last document's sale is called where nothing else names it."""
        return f"f-{self.workplace}-{self.shift}-{self.document}"
