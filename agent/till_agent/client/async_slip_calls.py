"""The calls that answer slips, for asyncio. Made by `make reference`; a test keeps them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from msgspec import Struct

from till_agent.api import Language
from till_agent.bridge.shapes import SlipBlocks

T = TypeVar("T")


class AsyncSlipCalls(ABC):
    """One method for each of them: the format that is asked for says what type the answer has."""

    @abstractmethod
    async def _call(
        self,
        operation: str,
        kind: type[T],
        *,
        path: Mapping[str, str] = {},
        query: Mapping[str, object] = {},
        request: Struct | None = None,
        timeout_ms: int | None = None,
    ) -> T:
        """Carry out one call; `timeout_ms` is for one attempt, the call's own when left out."""

    @overload
    async def slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    async def slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    async def slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    async def slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    async def slip(
        self,
        uid: str,
        format: str = "text",  # noqa: A002 - the parameter is called so
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """The slip of a sale: text, PNG, printer bytes, blocks, or Frontol's blocks."""
        kinds: dict[str, Any] = {"text": str, "png": bytes, "escpos": bytes, "json": SlipBlocks, "frontol": list[Any]}
        query = {"format": format, "columns": columns, "language": language}
        return await self._call("slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms)

    @overload
    async def void_slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    async def void_slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    async def void_slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    async def void_slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    async def void_slip(
        self,
        uid: str,
        format: str = "text",  # noqa: A002 - the parameter is called so
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """The slip of a sale's void: text, PNG, printer bytes, blocks, or Frontol's blocks."""
        kinds: dict[str, Any] = {"text": str, "png": bytes, "escpos": bytes, "json": SlipBlocks, "frontol": list[Any]}
        query = {"format": format, "columns": columns, "language": language}
        return await self._call(
            "void_slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms
        )

    @overload
    async def return_slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    async def return_slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    async def return_slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    async def return_slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    async def return_slip(
        self,
        uid: str,
        format: str = "text",  # noqa: A002 - the parameter is called so
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """The slip of a return: text, PNG, printer bytes, blocks, or Frontol's blocks."""
        kinds: dict[str, Any] = {"text": str, "png": bytes, "escpos": bytes, "json": SlipBlocks, "frontol": list[Any]}
        query = {"format": format, "columns": columns, "language": language}
        return await self._call(
            "return_slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms
        )
