"""Points whose time is over leave their lots, but for those that holds keep."""

from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book


def expire_due(book: Book, account: Account, due_ms: int) -> int:
    """Post one movement for all of a member's points that are due by a moment; how many expired."""
    book.load_lots(account)
    draft = Draft(account)
    draft.expire(due_ms)
    if draft.moves:
        book.post(draft, kind="expiry", op=None, position=book.next_position())
    return draft.figures.expired
