"""What Frontol 6 sends to its loyalty server, as the tests of the Priority API send it."""

from typing import Any

UID = "{9F6B3D1E-0C55-4B1E-8C1A-5B0F6B3D1E0C}"
NORMAL_UID = "9f6b3d1e-0c55-4b1e-8c1a-5b0f6b3d1e0c"
"""The same as the journal has it."""

Json = dict[str, Any]


def position(index: int, total: Any, **fields: Any) -> Json:
    """A line of one piece."""
    base = {"index": index, "id": f"sku-{index}", "text": f"Товар {index}", "price": total, "quantity": 1}
    return base | {"minimumPrice": 0, "totalAmount": total} | fields


def document(action: str, *positions: Json, uid: str = UID, **fields: Any) -> Json:
    """A call of `/document`."""
    base: Json = {
        "dateTime": "2017-12-23T14:05:00.000+0500",
        "organization": "ООО Ромашка",
        "businessUnit": "17",
        "workPlace": "1",
        "cashier": {"code": "5", "name": "Иванова", "text": "Иванова А."},
        "action": action,
        "type": "receipt",
        "number": 345,
        "shift": 12,
        "uid": uid,
        "coupons": [],
        "positions": list(positions),
    }
    return base | fields
