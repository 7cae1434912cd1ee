"""Generated requests, by the served description itself: whatever comes, no defect and only answers that it names."""

import warnings
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from hypothesis import HealthCheck, Phase, settings

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, settings_for
from till_agent.bridge.openapi import document
from till_agent.bridge.tokens import read_token

with warnings.catch_warnings():
    # Its imports warn of what later versions of its own dependencies will change.
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

schema = schemathesis.openapi.from_dict(document(version("tillside")))
# Its coverage phase fails by itself on a schema with objects in lists; generation alone is what is wanted here.
schema.config.phases.coverage.enabled = False
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveAgent]:
    state_dir = tmp_path_factory.mktemp("fuzz") / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    with live_agent(settings_for(state_dir)) as running:
        yield running


@pytest.mark.filterwarnings("ignore")  # schemathesis' own
@schema.exclude(path="/v1/events").parametrize()
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_request_gets_an_answer_that_is_described(case: "schemathesis.Case", live: LiveAgent) -> None:
    """503 is how a till without a line answers a hold; everything else from 500 on is a defect."""
    token = read_token(live.running.state_dir, "admin")
    headers = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "fuzz"}
    answer = case.call(base_url=f"http://127.0.0.1:{live.port}", headers=headers)
    checks = CHECKS if answer.status_code == 503 else [not_a_server_error, *CHECKS]
    case.validate_response(answer, checks=checks)
