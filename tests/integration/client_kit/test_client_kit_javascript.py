"""The client for JavaScript in Node, against a real agent."""

import json
import subprocess
from pathlib import Path
from typing import Any

from fakes.till import ANNA_CARD
from house.client_kit import JAVASCRIPT, OPENAPI
from house.client_kit_calls import Description
from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, receipt, settings_for
from integration.client_kit.client_kit_world import NODE, needs_node, run_javascript, token_of
from kit.processes import free_port
from till_config.settings import BridgeSettings

pytestmark = needs_node
SETUP = "const till = new Till({ url: facts.url, token: facts.token, client: 'tests' });\n"


def run(agent: LiveAgent, program: str, client: str = "pos", **facts: object) -> Any:
    """Run a program with `till`, the client of `agent`."""
    return run_javascript(SETUP + program, url=agent.running.url, token=token_of(agent, client), **facts)


def test_the_module_has_every_call_of_the_description_and_no_other(agent: LiveAgent) -> None:
    """By name; what it has besides is written by hand."""
    (names,) = run(agent, "told(Object.getOwnPropertyNames(Till.prototype));")
    public = {name for name in names if not name.startswith("_")} - {"constructor", "waitReady"}
    wanted = {call.camel for call in Description(OPENAPI.read_text("utf-8")).calls}
    assert public == wanted


def test_a_receipt_is_rung_up_from_the_card_to_the_slip(agent: LiveAgent) -> None:
    """Identify, quote, sell, look up, slip as text, picture and blocks, return, void."""
    found = run(
        agent,
        """
        const { lines } = facts.receipt;
        told(await till.waitReady());
        const member = await till.identify({ card: facts.card }, { language: "en" });
        const who = { reference: member.reference };
        told((await till.quote({ receipt: { lines }, member: who })).calculation.earned_points);
        const sale = await till.sell("js-1", { receipt: { lines }, member: who });
        told([sale.uid, sale.calculation.earned_points]);
        told((await till.sale("js-1")).state);
        told(typeof (await till.slip("js-1", { columns: 32, language: "en" })));
        told(Array.from((await till.slip("js-1", { format: "png" })).slice(1, 4)));
        told((await till.slip("js-1", { format: "json" })).blocks.length > 3);
        told(Array.isArray(await till.slip("js-1", { format: "frontol" })));
        const second = [{ number: 2, quantity_thousandths: 1000 }];
        const back = await till.return("js-1-r", { sale_uid: "js-1", lines: second, print_slip: false });
        told(back.reversal.money_back_minor);
        told(typeof (await till.returnSlip("js-1-r", { columns: 32 })));
        await till.sell("js-2", { receipt: { lines } });
        told((await till.void("js-2", { print_slip: "false" })).reversal.money_back_minor);
        told((await till.voidSlip("js-2", { format: "json" })).blocks.length > 3);
        told((await till.metrics()).includes("tillside_ready 1"));
        """,
        card=ANNA_CARD,
        receipt=receipt(10_000, 5_000)["receipt"],
    )
    ready, *rest = found
    assert ready["ready"] is True
    assert rest == [
        7,
        ["js-1", 7],
        "committed",
        "string",
        [80, 78, 71],
        True,
        True,
        5_000,
        "string",
        15_000,
        True,
        True,
    ]


def test_a_refusal_is_a_problem_with_what_the_cashier_is_told(agent: LiveAgent) -> None:
    """And the field to blame; nothing of it is tried again."""
    conflict, field, scope, token = run(
        agent,
        """
        const refused = async (call) => { try { await call(); } catch (error) { told(problem(error)); } };
        await till.sell("js-c", { receipt: { lines: [{ number: 1, sku: "milk", amount_minor: 100 }] } });
        await refused(() => till.sell("js-c", { receipt: { lines: [{ number: 1, sku: "milk", amount_minor: 200 }] } }));
        await refused(() => till.sell("js-f", { receipt: { lines: [{ number: 1, sku: "m", amount_minor: 1.5 }] } }));
        await refused(() => till.queue());
        till.token = () => "x".repeat(43);
        await refused(() => till.status());
        """,
    )
    assert conflict == {
        "name": "Problem",
        "code": "uid_conflict",
        "status": 409,
        "lost": False,
        "retryable": False,
        "pointer": "",
        "cashier": conflict["cashier"],
    }
    assert conflict["cashier"]
    assert field["pointer"] == "/receipt/lines/0/amount_minor"
    assert [scope["code"], token["code"]] == ["scope_missing", "token_unknown"]


LOSING = """
    // The agent carries the call out; its answer is lost on the way, as often as `losses` says.
    let losses = 0;
    const sent = [];
    const lossy = async (url, options) => {
      sent.push([options.method, url.replace(facts.url, ""), options.body ?? ""]);
      const answer = await fetch(url, options);
      if (losses-- > 0) { await answer.text(); throw new TypeError("the answer is lost"); }
      return answer;
    };
    const poor = new Till({ url: facts.url, token: facts.token, client: "tests", fetch: lossy });
"""


def test_a_sale_whose_answer_was_lost_is_repeated_and_is_one_sale(agent: LiveAgent) -> None:
    """With the same bytes under the same uid, until the answer comes."""
    sale, sent, tried = run(
        agent,
        LOSING
        + """
        losses = 2;
        told(await poor.sell("js-lost", { receipt: facts.receipt }));
        told(sent);
        sent.length = 0;
        losses = 1;
        try { await poor.print("js-lost"); } catch (error) { told([problem(error).lost, error.code, sent.length]); }
        """,
        receipt=receipt(700)["receipt"],
    )
    assert sale["uid"] == "js-lost"
    assert len(sent) == 3
    assert len({json.dumps(each) for each in sent}) == 1
    assert tried == [True, "unreachable", 1], "a copy of a slip is not printed twice"
    queue = agent.call("GET", "/v1/queue?which=newest&limit=1000", client="admin").json
    assert [op["uid"] for op in queue["ops"]].count("js-lost") == 1


def test_a_code_that_was_keyed_is_not_tried_twice(agent: LiveAgent) -> None:
    """A wrong one would use up two tries; without one the same call is repeated."""
    (counts,) = run(
        agent,
        LOSING
        + """
        const counts = [];
        for (const code of ["", "1234"]) {
          sent.length = 0;
          losses = 1;
          try { await poor.register({ uid: "js-reg", phone: "+79161234567", code }); } catch {}
          counts.push(sent.length);
        }
        told(counts);
        """,
    )
    assert counts == [2, 1]


def test_what_is_refused_for_a_while_is_asked_again_when_it_was_said(tmp_path: Path) -> None:
    """A client that is too fast waits as long as the agent says, and is served; with no patience it is told at once."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    bridge = BridgeSettings(port=0, rate_limit_per_second=2)
    with live_agent(settings_for(tmp_path, bridge=bridge)) as agent:
        good, refused = run(
            agent,
            """
            const all = await Promise.all([1, 2, 3, 4].map(() => till.status()));
            told(all.length);
            const hasty = new Till({ url: facts.url, token: facts.token, patienceMs: 0 });
            try { for (;;) await hasty.status(); } catch (error) { told([error.code, error.retryAfterMs > 0]); }
            """,
        )
    assert good == 4
    assert refused == ["rate_limited", True]


def test_nobody_there_too_slow_and_called_off_are_told_apart() -> None:
    """Codes for the first two; the third ends with the caller's own reason."""
    found = run_javascript(
        """
        const outcomes = [];
        const never = (url, { signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        const gone = new Till({ url: facts.url, patienceMs: 0 });
        await gone.livez().catch((error) => outcomes.push([error.code, error.status, error.lost, error.retryable]));
        const slow = new Till({ url: facts.url, fetch: never, timeoutMs: 20, patienceMs: 0 });
        await slow.livez().catch((error) => outcomes.push(error.code));
        const hasty = new AbortController();
        const waiting = new Till({ url: facts.url, fetch: never }).livez({ signal: hasty.signal });
        hasty.abort(new Error("the receipt was dropped"));
        await waiting.catch((error) => outcomes.push(error.message));
        await gone.sale("..").catch((error) => outcomes.push(error.name));
        told(outcomes);
        """,
        url=f"http://127.0.0.1:{free_port()}",
    )
    assert found == [[["unreachable", 0, True, True], "timed_out", "the receipt was dropped", "TypeError"]]


TOLD = ["one", "two", "three", "four"]
"""What the test has the agent tell. It tells troubles of its own besides, whenever it looks after itself."""


def test_events_come_back_after_a_break_with_what_was_missed(agent: LiveAgent) -> None:
    """From the event that was last seen: none is told twice, none is left out."""
    events = agent.running.agent.events
    process = subprocess.Popen(
        [NODE, "--input-type=module", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(
        f"""
        import {{ Till }} from {json.dumps(JAVASCRIPT.as_uri())};
        const seen = [], states = [], asked = [];
        let hangUp;
        const breaking = (url, options) => {{
          asked.push(options.headers["Last-Event-ID"] ?? "");
          const line = new AbortController();
          hangUp = () => line.abort();
          options.signal.addEventListener("abort", hangUp);
          return fetch(url, {{ ...options, signal: line.signal }});
        }};
        const till = new Till({{ url: {json.dumps(agent.running.url)}, token: {json.dumps(token_of(agent))},
          fetch: breaking }});
        const onState = (state) => {{ states.push(state); if (states.length < 3) console.log(state); }};
        for await (const {{ event, data }} of till.events({{ onState }})) {{
          if (event !== "alert" || !{json.dumps(TOLD)}.includes(data.code)) continue;
          seen.push(data.code);
          if (data.code === "two") hangUp();
          if (data.code === "four") break;
        }}
        console.log(JSON.stringify({{ seen, states, asked: asked.map(Boolean) }}));
        """
    )
    process.stdin.close()
    try:
        assert process.stdout.readline() == "open\n"
        for code in ("foreign", *TOLD[:2]):
            agent.on_loop(lambda code=code: events.publish("alert", {"code": code, "text": code}))
        assert process.stdout.readline() == "lost\n"
        for code in TOLD[2:]:
            agent.on_loop(lambda code=code: events.publish("alert", {"code": code, "text": code}))
        found = json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert found["seen"] == TOLD
    assert found["states"][:3] == ["open", "lost", "open"]
    assert found["asked"] == [False, True]


def test_an_agent_that_refuses_events_for_good_ends_the_loop(agent: LiveAgent) -> None:
    """And a signal ends it quietly."""
    found = run(
        agent,
        """
        const bad = new Till({ url: facts.url, token: "x".repeat(43) });
        try { for await (const _ of bad.events()); } catch (error) { told(error.code); }
        const stop = new AbortController();
        const onState = () => stop.abort();
        for await (const _ of till.events({ signal: stop.signal, onState }));
        told("ended");
        """,
    )
    assert found == ["token_unknown", "ended"]


def test_a_mutant_that_makes_a_new_body_for_a_repetition_is_found(agent: LiveAgent) -> None:
    """The test of lost answers would see it: the agent answers 409 to other bytes under the same uid."""
    text = JAVASCRIPT.read_text("utf-8")
    broken = text.replace(
        "const answer = await this._send(operation, method, target, headers, sent, watch);",
        "const answer = await this._send(operation, method, target, headers,"
        " sent?.replace('700', String(700 + attempt)), watch);",
    )
    assert broken != text
    folder = agent.running.state_dir / "mutant.mjs"
    folder.write_text(broken, "utf-8")
    found = run_javascript(
        LOSING
        + f"""
        const {{ Till: Broken }} = await import({json.dumps(folder.as_uri())});
        losses = 1;
        const bad = new Broken({{ url: facts.url, token: facts.token, fetch: lossy }});
        try {{ await bad.sell("js-mutant", {{ receipt: facts.receipt }}); }} catch (error) {{ told(error.code); }}
        """,
        url=agent.running.url,
        token=token_of(agent),
        receipt=receipt(700)["receipt"],
    )
    assert found == ["uid_conflict"]
