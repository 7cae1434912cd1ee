"""Asking the cloud about a sale of another till while the cashier waits: one exchange within a budget, or no."""

import msgspec

from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudRefused, CloudUnreachable, IdentityRefused, SaleRefused, SyncError, UpgradeNeeded
from till_sync.retry import Line

SALE_UNKNOWN = "sale_unknown"
SALE_AMBIGUOUS = "sale_ambiguous"


class CloudSaleGateway:
    """Fits `till_agent.ports.SaleGateway`. Asking changes nothing, so it may be repeated freely."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._line.online

    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer:
        """The sale. SaleRefused: none or several. CloudUnreachable for whatever else: nothing is known then."""
        try:
            answer = await self._client.sale(question, timeout_ms=budget_ms)
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except (IdentityRefused, UpgradeNeeded) as error:
            raise CloudUnreachable(f"the cloud does not take this till: {error}", code=error.code) from error
        except CloudRefused as error:
            # It answered, so the line is well; an older cloud does not know the question, and says so in other words.
            if error.code not in (SALE_UNKNOWN, SALE_AMBIGUOUS):
                raise CloudUnreachable(f"the cloud does not answer that: {error}", code=error.code) from error
            raise SaleRefused(error.code, str(error), choices=_choices(error.extras.get("choices"))) from error
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
        if answer.sale_uid != question.sale_uid or (question.of_till and answer.till != question.of_till):
            raise CloudUnreachable("the answer speaks of another sale", code="answer_mismatch")
        return answer


def _choices(found: object) -> tuple[SaleChoice, ...]:
    """What the problem lists; nothing when it can't be read: people only look at it."""
    try:
        return msgspec.convert(found, tuple[SaleChoice, ...])
    except msgspec.ValidationError:
        return ()
