"""Operations about Frontol's sales reports, for store IT."""

import re

from till_agent.bridge.shapes import Operation, Parameter
from till_agent.report_api import Decided, Findings, Reports

FINDINGS_DEFAULT, FINDINGS_LIMIT = 100, 1000

WHICH_FINDINGS = Parameter(
    name="which",
    pattern=re.compile(r"^(open|all)$"),
    choices=("open", "all"),
    description="Findings that wait for a person (when left out), or all that there were.",
)
FINDINGS_MOST = Parameter(
    name="limit",
    pattern=re.compile(r"^([1-9][0-9]{0,2}|1000)$"),
    integer=True,
    maximum=FINDINGS_LIMIT,
    description=f"Findings to answer with, at most {FINDINGS_LIMIT}; {FINDINGS_DEFAULT} when left out.",
)
FINDING = Parameter(
    name="finding",
    pattern=re.compile(r"^[1-9][0-9]{0,14}$"),
    integer=True,
    maximum=10**15 - 1,
    description="Number of the finding, as it was answered.",
)

REPORTS = (
    Operation(
        id="reports",
        method="GET",
        path="/v1/frontol/reports",
        scope="admin",
        tag="frontol",
        answer=Reports,
        summary="Frontol's sales reports: how far each was read, and what became of their documents.",
    ),
    Operation(
        id="findings",
        method="GET",
        path="/v1/frontol/findings",
        scope="admin",
        tag="frontol",
        answer=Findings,
        summary="Documents of the reports that the journal does not have, or has otherwise.",
        query_parameters=(WHICH_FINDINGS, FINDINGS_MOST),
    ),
    Operation(
        id="accept_finding",
        method="POST",
        path="/v1/frontol/findings/{finding}/accept",
        scope="admin",
        tag="frontol",
        answer=Decided,
        summary="Journal the document of a finding, under its own uid: once, however often it is asked for.",
        path_parameters=(FINDING,),
        problems={404: "finding_unknown", 409: "finding_undecidable", 503: "journal_unavailable"},
    ),
    Operation(
        id="dismiss_finding",
        method="POST",
        path="/v1/frontol/findings/{finding}/dismiss",
        scope="admin",
        tag="frontol",
        answer=Decided,
        summary="A person has seen the finding, and nothing is to be done.",
        path_parameters=(FINDING,),
        problems={404: "finding_unknown", 503: "journal_unavailable"},
    ),
)
"""Operations of the table in `operations`."""
