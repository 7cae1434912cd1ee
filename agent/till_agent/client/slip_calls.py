"""The calls that answer slips, for programs that wait. Made by `make reference`; a test keeps them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from msgspec import Struct

from till_agent.api import Language
from till_agent.bridge.shapes import SlipBlocks

T = TypeVar("T")


class SlipCalls(ABC):
    """One method for each of them: the format that is asked for says what type the answer has."""

    @abstractmethod
    def _call(
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
    def slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    def slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    def slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    def slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    def slip(
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
        return self._call("slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms)

    @overload
    def void_slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    def void_slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    def void_slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    def void_slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    def void_slip(
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
        return self._call("void_slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms)

    @overload
    def return_slip(
        self,
        uid: str,
        format: Literal["text"] = "text",
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> str: ...
    @overload
    def return_slip(
        self,
        uid: str,
        format: Literal["png", "escpos"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> bytes: ...
    @overload
    def return_slip(
        self,
        uid: str,
        format: Literal["json"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> SlipBlocks: ...
    @overload
    def return_slip(
        self,
        uid: str,
        format: Literal["frontol"],
        *,
        columns: int | None = None,
        language: Language | None = None,
        timeout_ms: int | None = None,
    ) -> list[Any]: ...
    def return_slip(
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
        return self._call("return_slip", kinds.get(format, Any), path={"uid": uid}, query=query, timeout_ms=timeout_ms)
