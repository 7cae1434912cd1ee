"""A till that holds its store's members only, and a cloud that knows others."""

from fakes.till import FakeTill
from till_agent.exceptions import CloudUnreachable
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.wire import MemberRow


class Cloud:
    """Knows some members by their tags and ids."""

    def __init__(self, *rows: MemberRow, online: bool = True) -> None:
        self.online = online
        self.broken = False
        self.asked: list[MemberQuestion] = []
        self.rows = rows

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        assert budget_ms == 800
        self.asked.append(question)
        if self.broken:
            raise CloudUnreachable("no answer")
        names = {question.member_id, *question.tags}
        found = [row for row in self.rows if names & {row.member_id, *row.tags}]
        return MemberAnswer(incarnation="i", epoch=1, acked_seq=0, server_time_ms=5, member=found[0] if found else None)


def till(cloud: Cloud, *, days: int = 90, made: FakeTill | None = None) -> FakeTill:
    """One that asks that cloud."""
    made = made or FakeTill()
    made.members = cloud
    made.gateway.online = cloud.online
    made.cache.window_days = days
    made.desk = made.new_desk()
    return made
