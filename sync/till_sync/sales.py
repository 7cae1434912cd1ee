"""Asking the cloud about a sale of another till while the cashier waits: one exchange within a budget, or no."""

import msgspec

from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion
from till_sync.exceptions import CloudRefused, CloudUnreachable, SaleRefused, SyncError
from till_sync.gateway import Gateway

SALE_UNKNOWN = "sale_unknown"
SALE_AMBIGUOUS = "sale_ambiguous"


class CloudSaleGateway(Gateway):
    """Fits `till_agent.ports.SaleGateway`. Asking changes nothing, so it may be repeated freely."""

    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer:
        """The sale. SaleRefused: none or several. CloudUnreachable for whatever else: nothing is known then."""
        with self._exchange():
            answer = await self._client.sale(question, timeout_ms=budget_ms)
        if answer.sale_uid != question.sale_uid or (question.of_till and answer.till != question.of_till):
            raise CloudUnreachable("the answer speaks of another sale", code="answer_mismatch")
        return answer

    def _refusal(self, error: SyncError) -> Exception | None:
        # An older cloud does not know the question, and says so in other words.
        if not isinstance(error, CloudRefused) or error.code not in (SALE_UNKNOWN, SALE_AMBIGUOUS):
            return None
        return SaleRefused(error.code, error.detail, choices=_choices(error.extras.get("choices")))


def _choices(found: object) -> tuple[SaleChoice, ...]:
    """What the problem lists; nothing when it can't be read: people only look at it."""
    try:
        return msgspec.convert(found, tuple[SaleChoice, ...])
    except msgspec.ValidationError:
        return ()
