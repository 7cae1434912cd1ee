"""Programmes of earlier sales."""

from till_agent.cache import schema
from till_agent.cache.programmes import read_programme
from till_agent.cache.reading import Reader
from till_loyalty.programme import Programme

PROGRAMMES_KEPT = 8
"""Former programmes kept parsed; returns of old sales need one now and then."""


class FormerProgrammes:
    """Programmes of earlier sales, parsed when they are asked for."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Programme] = {}

    def find(self, reader: Reader, programme_id: str, version: int) -> Programme | None:
        """That version, if the cloud ever sent it and it can be used."""
        known = self._known.get((programme_id, version))
        if known is None:
            columns = reader.fetch(schema.PROGRAMME, (programme_id, version))
            former = read_programme(columns[1], columns[0]) if columns else None
            if former is None:
                return None
            known = self._known[programme_id, version] = former.programme
            while len(self._known) > PROGRAMMES_KEPT:
                del self._known[next(iter(self._known))]
        return known
