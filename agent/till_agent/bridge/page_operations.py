"""Operations that the bridge's own pages are made of; any client with the scope may call them."""

import re

from till_agent.bridge.shapes import ANY, LANGUAGE, STORE_LANGUAGE, UID, Operation, Parameter
from till_agent.page_api import Flags, LogTail, MembersFound, PageFacts, Sales, SoldLines

SALES_DEFAULT, SALES_LIMIT = 20, 100
MEMBERS_DEFAULT, MEMBERS_LIMIT = 20, 50
LOGS_DEFAULT, LOGS_LIMIT = 200, 1000

LARGEST_PLACE = 8_999_999_999_999_999
"""JavaScript counts exactly a little further; a place is a row of the journal; its 8,000th epoch is not in sight."""
_PLACE = r"^(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})$"

SALES_MOST = Parameter(
    name="limit",
    pattern=re.compile(r"^([1-9][0-9]?|100)$"),
    integer=True,
    maximum=SALES_LIMIT,
    description=f"Sales to answer with, at most {SALES_LIMIT}; {SALES_DEFAULT} when left out.",
)
BEFORE = Parameter(
    name="before",
    pattern=re.compile(_PLACE),
    integer=True,
    minimum=0,
    maximum=LARGEST_PLACE,
    description="`before` of the page before this one; 0, or left out: the newest.",
)
MEMBERS_MOST = Parameter(
    name="limit",
    pattern=re.compile(r"^([1-9]|[1-4][0-9]|50)$"),
    integer=True,
    maximum=MEMBERS_LIMIT,
    description=f"Members to answer with, at most {MEMBERS_LIMIT}; {MEMBERS_DEFAULT} when left out.",
)
QUERY = Parameter(
    name="query",
    pattern=re.compile(r"^[^\x00-\x1f\x7f]{2,60}$"),
    required=True,
    description="Beginnings of words of the masked name, last digits of phone or card; all of them have to fit.",
)
LOGS_MOST = Parameter(
    name="limit",
    pattern=re.compile(r"^([1-9][0-9]{0,2}|1000)$"),
    integer=True,
    maximum=LOGS_LIMIT,
    description=f"Lines to answer with, at most {LOGS_LIMIT}; {LOGS_DEFAULT} when left out.",
)
AFTER = Parameter(
    name="after",
    pattern=re.compile(_PLACE),
    integer=True,
    minimum=0,
    maximum=LARGEST_PLACE,
    description="`seq` of the last line that was seen; 0 for the first that is kept; left out: the newest lines.",
)

PAGES = (
    Operation(
        id="page",
        method="GET",
        path="/v1/page",
        scope=ANY,
        tag="pages",
        answer=PageFacts,
        summary="What a page must know before it shows anything; nothing personal.",
    ),
    Operation(
        id="sales",
        method="GET",
        path="/v1/sales",
        scope="sale",
        tag="sale",
        answer=Sales,
        summary="The sales of this till, newest first.",
        query_parameters=(SALES_MOST, BEFORE),
    ),
    Operation(
        id="sale_lines",
        method="GET",
        path="/v1/sales/{uid}/lines",
        scope="sale",
        tag="sale",
        answer=SoldLines,
        summary="The lines of a sale of this till, and what of each may still come back.",
        path_parameters=(UID,),
        problems={404: "sale_unknown"},
    ),
    Operation(
        id="members",
        method="GET",
        path="/v1/members",
        scope="sale",
        tag="members",
        answer=MembersFound,
        summary="Members by what a person remembers: the name, the last digits of phone or card.",
        query_parameters=(QUERY, MEMBERS_MOST, LANGUAGE),
    ),
    Operation(
        id="flags",
        method="GET",
        path="/v1/flags",
        scope="admin",
        tag="sale",
        answer=Flags,
        summary="What in cashiers' receipts of the last weeks a person should look at; nothing is ever blocked by it.",
        query_parameters=(STORE_LANGUAGE,),
    ),
    Operation(
        id="logs",
        method="GET",
        path="/v1/logs",
        scope="admin",
        tag="health",
        answer=LogTail,
        summary="The newest lines of the agent's log, cleaned as the log itself is.",
        query_parameters=(AFTER, LOGS_MOST),
    ),
)
"""Operations of the table in `operations`."""
