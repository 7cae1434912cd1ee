"""Documents that `tillside pos` made while no agent answered: kept, and sent later under the same uids."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.api import ReturnRequest, Reversed, Sale, SaleRequest
from till_agent.client import ClientError, RefusedError, Till

KEPT_LIMIT = 10_000
"""Documents: a week of a busy till."""


class Document(Struct, kw_only=True, omit_defaults=True):
    """A sale, a return or a void without an answer yet; `refused`: the code of one that will never have a good one."""

    uid: str
    sale: SaleRequest | None = None
    give_back: ReturnRequest | None = None
    refused: str = ""

    @property
    def kind(self) -> str:
        """In a word; a document without a body is a void."""
        return "sale" if self.sale is not None else "return" if self.give_back is not None else "void"

    def send(self, till: Till) -> Sale | Reversed:
        """The answer. ClientError."""
        if self.sale is not None:
            return till.sell(self.uid, self.sale)
        if self.give_back is not None:
            return till.return_(self.uid, self.give_back)
        return till.void(self.uid)


class Kept(Struct, kw_only=True):
    """What the file of `--keep` holds."""

    documents: list[Document] = []


class Unsent:
    """The documents, oldest first; with a file they outlive the program."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.documents: list[Document] = []
        if file is not None and file.exists():
            self.documents = msgspec.json.decode(file.read_bytes(), type=Kept).documents

    @property
    def waiting(self) -> list[Document]:
        """Those that may still get through."""
        return [each for each in self.documents if not each.refused]

    def put(self, document: Document) -> None:
        """Keep a document, before it is sent for the first time. ValueError when there are too many."""
        if len(self.documents) >= KEPT_LIMIT:
            raise ValueError(f"expected at most {KEPT_LIMIT} documents that wait for an agent")
        self.documents.append(document)
        self.save()

    def drop(self, document: Document) -> None:
        """It has its answer."""
        self.documents.remove(document)
        self.save()

    def send(self, till: Till, told: Callable[[Document, Struct | ClientError], None]) -> None:
        """Send what waits, in order, until there is no answer; `told` hears of each that got one."""
        for document in self.waiting:
            try:
                answer = document.send(till)
            except RefusedError as exc:
                if exc.lost:
                    return
                if exc.retryable:
                    continue  # a return that waits for the line must not keep sales waiting
                document.refused = exc.code
                self.save()
                told(document, exc)
            except ClientError:
                return
            else:
                self.drop(document)
                told(document, answer)

    def save(self) -> None:
        """Write the file, whole or not at all, for this user alone: receipts name members."""
        if self._file is None:
            return
        new = self._file.with_name(f"{self._file.name}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(msgspec.json.encode(Kept(documents=self.documents)))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._file)
