"""Asking the cloud about coupon codes while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import CouponAnswer, CouponQuestion
from till_sync.gateway import Gateway


class CloudCouponGateway(Gateway):
    """Fits `till_agent.ports.CouponGateway`. Asking changes nothing, so it may be repeated freely."""

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        """The cloud's answer; CloudUnreachable for whatever else comes of it: the codes count as unasked then."""
        with self._exchange():
            return await self._client.coupons(question, timeout_ms=budget_ms)
