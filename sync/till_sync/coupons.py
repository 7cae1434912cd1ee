"""Asking the cloud about coupon codes while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import CouponAnswer, CouponQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudRefused, CloudUnreachable, IdentityRefused, SyncError, UpgradeNeeded
from till_sync.retry import Line


class CloudCouponGateway:
    """Fits `till_agent.ports.CouponGateway`. Asking changes nothing, so it may be repeated freely."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        """The cloud's answer; CloudUnreachable for whatever else comes of it: the codes count as unasked then."""
        try:
            return await self._client.coupons(question, timeout_ms=budget_ms)
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except (IdentityRefused, UpgradeNeeded, CloudRefused) as error:
            # It answered, so the line is well; an older cloud does not know the question.
            raise CloudUnreachable(f"the cloud does not answer that: {error}", code=error.code) from error
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
