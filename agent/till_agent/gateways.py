"""The cloud's gateways with the errors that the desk knows."""

import contextlib
from collections.abc import Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from till_agent.exceptions import CloudUnreachable, CodeRefused, HoldRefused, SaleRefused
from till_sync import exceptions as sync_errors
from till_sync.asking import (
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    HoldAnswer,
    HoldRequest,
    MemberAnswer,
    MemberQuestion,
    SaleAnswer,
    SaleQuestion,
)
from till_sync.client import CloudClient
from till_sync.confirmations import CloudConfirmations
from till_sync.coupons import CloudCouponGateway
from till_sync.holds import CloudHoldGateway, NoHoldGateway
from till_sync.meeting import CloudMemberGateway
from till_sync.sales import CloudSaleGateway
from till_sync.worker import SyncWorker


class _OnALine(Protocol):
    @property
    def online(self) -> bool: ...


GatewayT = TypeVar("GatewayT", bound=_OnALine)


class _Translated(Generic[GatewayT]):
    def __init__(self, gateway: GatewayT) -> None:
        self._gateway = gateway

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._gateway.online


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except sync_errors.CloudUnreachable as exc:
        raise CloudUnreachable(str(exc)) from exc


class TranslatedHolds(_Translated[CloudHoldGateway | NoHoldGateway]):
    """Implements `till_agent.ports.HoldGateway`."""

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        """See `till_agent.ports.HoldGateway`."""
        with _translating():
            try:
                return await self._gateway.reserve(request, budget_ms=budget_ms)
            except sync_errors.HoldRefused as exc:
                raise HoldRefused(
                    exc.code, exc.detail, available_points=exc.available_points, tries_left=exc.tries_left
                ) from exc


class TranslatedConfirmations(_Translated[CloudConfirmations]):
    """Implements `till_agent.ports.ConfirmationGateway`."""

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        """See `till_agent.ports.ConfirmationGateway`."""
        with _translating(), _refusing():
            return await self._gateway.start(request, budget_ms=budget_ms)

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        """See `till_agent.ports.ConfirmationGateway`."""
        with _translating(), _refusing():
            return await self._gateway.give(confirmation, code, budget_ms=budget_ms)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except sync_errors.ConfirmationRefused as exc:
        raise CodeRefused(exc.code, exc.detail) from exc


class TranslatedCoupons(_Translated[CloudCouponGateway]):
    """Implements `till_agent.ports.CouponGateway`."""

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        """See `till_agent.ports.CouponGateway`."""
        with _translating():
            return await self._gateway.ask(question, budget_ms=budget_ms)


class TranslatedMembers(_Translated[CloudMemberGateway]):
    """Implements `till_agent.ports.MemberGateway`."""

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        """See `till_agent.ports.MemberGateway`."""
        with _translating():
            return await self._gateway.find(question, budget_ms=budget_ms)


class TranslatedSales(_Translated[CloudSaleGateway]):
    """Implements `till_agent.ports.SaleGateway`."""

    async def find(self, question: SaleQuestion, *, budget_ms: int) -> SaleAnswer:
        """See `till_agent.ports.SaleGateway`."""
        with _translating():
            try:
                return await self._gateway.find(question, budget_ms=budget_ms)
            except sync_errors.SaleRefused as exc:
                raise SaleRefused(exc.code, exc.detail, choices=exc.choices) from exc


class Gateways(NamedTuple):
    """Whom a till asks; without a cloud there is nobody."""

    holds: TranslatedHolds = TranslatedHolds(NoHoldGateway())
    confirmations: TranslatedConfirmations | None = None
    coupons: TranslatedCoupons | None = None
    members: TranslatedMembers | None = None
    sales: TranslatedSales | None = None


def gateways_of(client: CloudClient, worker: SyncWorker) -> Gateways:
    """The gateways of a till that has a cloud; `worker` knows how its line is."""
    line = worker.line
    return Gateways(
        holds=TranslatedHolds(CloudHoldGateway(client, line)),
        confirmations=TranslatedConfirmations(CloudConfirmations(client, line)),
        coupons=TranslatedCoupons(CloudCouponGateway(client, line)),
        members=TranslatedMembers(CloudMemberGateway(client, line)),
        sales=TranslatedSales(CloudSaleGateway(client, line)),
    )
