"""The cloud's gateways with the errors that the desk knows."""

from collections.abc import Awaitable

from till_agent.exceptions import CloudUnreachable, CodeRefused, SaleRefused
from till_sync import exceptions as sync_errors
from till_sync.asking import (
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    MemberAnswer,
    MemberQuestion,
    SaleAnswer,
    SaleQuestion,
)
from till_sync.client import CloudClient
from till_sync.confirmations import CloudConfirmations
from till_sync.coupons import CloudCouponGateway
from till_sync.meeting import CloudMemberGateway
from till_sync.sales import CloudSaleGateway
from till_sync.worker import SyncWorker


class TranslatedConfirmations:
    """Implements `till_agent.ports.ConfirmationGateway`."""

    def __init__(self, gateway: CloudConfirmations) -> None:
        self._gateway = gateway

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._gateway.online

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        """See `till_agent.ports.ConfirmationGateway`."""
        return await _translated(self._gateway.start(request, budget_ms=budget_ms))

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        """See `till_agent.ports.ConfirmationGateway`."""
        return await _translated(self._gateway.give(confirmation, code, budget_ms=budget_ms))


class TranslatedCoupons:
    """Implements `till_agent.ports.CouponGateway`."""

    def __init__(self, gateway: CloudCouponGateway) -> None:
        self._gateway = gateway

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        """See `till_agent.ports.CouponGateway`."""
        try:
            return await self._gateway.ask(question, budget_ms=budget_ms)
        except sync_errors.CloudUnreachable as exc:
            raise CloudUnreachable(str(exc)) from exc


class TranslatedMembers:
    """Implements `till_agent.ports.MemberGateway`."""

    def __init__(self, gateway: CloudMemberGateway) -> None:
        self._gateway = gateway

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._gateway.online

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        """See `till_agent.ports.MemberGateway`."""
        try:
            return await self._gateway.find(question, budget_ms=budget_ms)
        except sync_errors.CloudUnreachable as exc:
            raise CloudUnreachable(str(exc)) from exc


class TranslatedSales:
    """Implements `till_agent.ports.SaleGateway`."""

    def __init__(self, gateway: CloudSaleGateway) -> None:
        self._gateway = gateway

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._gateway.online

    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer:
        """See `till_agent.ports.SaleGateway`."""
        try:
            return await self._gateway.find(question, budget_ms=budget_ms)
        except sync_errors.SaleRefused as exc:
            raise SaleRefused(exc.code, exc.detail, choices=exc.choices) from exc
        except sync_errors.CloudUnreachable as exc:
            raise CloudUnreachable(str(exc)) from exc


def sales_of(client: CloudClient | None, worker: SyncWorker | None) -> TranslatedSales | None:
    """The gateway of a till that has a cloud."""
    if client is None or worker is None:
        return None
    return TranslatedSales(CloudSaleGateway(client, worker.line))


def members_of(client: CloudClient | None, worker: SyncWorker | None) -> TranslatedMembers | None:
    """The gateway of a till that has a cloud."""
    if client is None or worker is None:
        return None
    return TranslatedMembers(CloudMemberGateway(client, worker.line))


def coupons_of(client: CloudClient | None, worker: SyncWorker | None) -> TranslatedCoupons | None:
    """The gateway of a till that has a cloud."""
    if client is None or worker is None:
        return None
    return TranslatedCoupons(CloudCouponGateway(client, worker.line))


def confirmations_of(client: CloudClient | None, worker: SyncWorker | None) -> TranslatedConfirmations | None:
    """The gateway of a till that has a cloud."""
    if client is None or worker is None:
        return None
    return TranslatedConfirmations(CloudConfirmations(client, worker.line))


async def _translated(exchange: Awaitable[ConfirmationAnswer]) -> ConfirmationAnswer:
    try:
        return await exchange
    except sync_errors.ConfirmationRefused as exc:
        raise CodeRefused(exc.code, exc.detail) from exc
    except sync_errors.CloudUnreachable as exc:
        raise CloudUnreachable(str(exc)) from exc
