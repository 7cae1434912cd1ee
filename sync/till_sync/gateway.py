"""What the gateways have in common that ask the cloud while the cashier waits: one exchange within a budget, or no."""

import contextlib
from collections.abc import Iterator
from typing import ClassVar

from till_sync.client import CloudClient
from till_sync.exceptions import CloudRefused, CloudUnreachable, IdentityRefused, SyncError, UpgradeNeeded
from till_sync.retry import Line


class Gateway:
    """Asks over the line that the exchange with the cloud uses too, and says there how it was found."""

    answers: ClassVar[tuple[type[SyncError], ...]] = (CloudRefused,)
    """Errors by which the cloud did answer, so that the line is well. An older cloud knows some questions not."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded: asking is likely to be worth the wait."""
        return self._line.online

    def _refusal(self, error: SyncError) -> Exception | None:  # noqa: ARG002 - for those who are answered by refusals
        """What one of `answers` says to whoever asked; None: nothing that they can use."""
        return None

    @contextlib.contextmanager
    def _exchange(self) -> Iterator[None]:
        """Whatever comes of it but an answer and a refusal is CloudUnreachable: it may have been done or not."""
        try:
            yield
        except self.answers as error:
            known = not isinstance(error, IdentityRefused | UpgradeNeeded)
            told = self._refusal(error) if known else None
            raise told or CloudUnreachable(f"the cloud does not answer that: {error}", code=error.code) from error
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
