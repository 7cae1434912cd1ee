"""Generated requests over the whole description against a real agent: no defect, no answer that it does not name.

A part runs in the suite; TILLSIDE_EXAMPLES (10,000) of them run as a soak.
"""

import os
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from integration.bridge.agent_kit import LiveAgent, live_agent, settings_for
from integration.bridge_safety.safety_kit import enrolled
from till_agent.bridge.openapi import document
from till_agent.bridge.tokens import read_token
from till_config.settings import BridgeSettings

with warnings.catch_warnings():
    # Its imports warn of what later versions of its own dependencies will change.
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

EXAMPLES = 300
SOAK_EXAMPLES = int(os.environ.get("TILLSIDE_EXAMPLES", "10000"))
ENDLESS = "/v1/events"
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
schema = schemathesis.openapi.from_dict(document(version("tillside")))
OPERATIONS = [found.ok() for found in schema.get_all_operations() if found.ok().path != ENDLESS]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveAgent]:
    bridge = BridgeSettings(port=0, rate_limit_per_second=10_000)
    with live_agent(settings_for(enrolled(tmp_path_factory.mktemp("fuzz")), bridge=bridge)) as running:
        yield running


def try_all(live: LiveAgent, examples: int) -> None:
    """`examples` requests: half of them as the description has them, half not."""
    token = read_token(live.running.state_dir, "admin")
    headers = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "fuzz"}
    cases = st.one_of(
        *(
            operation.as_strategy(generation_mode=mode)
            for operation in OPERATIONS
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )
    )

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Any) -> None:
        case.headers = {**(case.headers or {}), **headers}
        answer = case.call(base_url=f"http://127.0.0.1:{live.port}")
        # 503 is how a till without a line answers a hold; everything else from 500 on is a defect.
        checks = CHECKS if answer.status_code == 503 else [not_a_server_error, *CHECKS]
        case.validate_response(answer, checks=checks)

    run()


@pytest.mark.filterwarnings("ignore")  # schemathesis' own
def test_generated_requests_get_answers_that_are_described(live: LiveAgent) -> None:
    try_all(live, EXAMPLES)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@pytest.mark.filterwarnings("ignore")  # schemathesis' own
def test_ten_thousand_generated_requests_get_answers_that_are_described(live: LiveAgent) -> None:
    try_all(live, SOAK_EXAMPLES)
