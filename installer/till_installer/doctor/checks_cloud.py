"""Checks of the way to the cloud, step by step: the first that fails is told, those behind it are not looked at."""

from typing import TYPE_CHECKING

from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked

if TYPE_CHECKING:
    from till_installer.doctor.cloud_look import CloudLook
    from till_installer.doctor.scene import Scene

AREA = "cloud"
STEPS = ("name", "connect", "tls", "answer", "through")
SKEW_LIMIT_MS = 120_000
"""As in the agent's status: what is written on slips is wrong beyond it."""
ENDS_SOON_S = 14 * 86_400
NAMED_HALTS = frozenset(("till_quarantined",))
_NEW_CODE = "get a code for this till (`tillside cloud till code`), stop the agent, `tillside agent enrol --again`"
_TWO_JOURNALS = "copy the state directory, then find out which machine has sold with it: two with one never agree"
HALT_FIXES = {
    **dict.fromkeys(("token_invalid", "wrong_till", "signature_missing", "signature_wrong", "key_known"), _NEW_CODE),
    **dict.fromkeys(
        ("stale_epoch", "salt_mismatch", "chain_mismatch", "fingerprint_mismatch", "history_conflict"), _TWO_JOURNALS
    ),
    "push_blocked": "have the firewall or proxy before the cloud let `POST /v1/tills/` through unread",
    "window_needed": "upgrade this till; what it sells gets through meanwhile",
    "history_pruned": "restore a newer backup of the cloud, then `tillside sync now`; nothing is lost here",
    "protocol_unsupported": "the cloud is of a former release: bring it to the newer one again, then `tillside sync "
    "now`; the queue is kept and sales go on",
}
"""Where the code has one thing to do that can be said in a line."""
TLS_FIXES = {
    "expired": "whoever runs the cloud renews its certificate; if others reach it, set this till's clock",
    "not_yet": "set the clock: `timedatectl set-ntp true`",
    "wrong_host": "compare cloud.url with what the chain gave; a portal or filter on the line has to let it through",
    "untrusted": "add the chain's own CA to the system's trusted ones (`update-ca-certificates`), or have the filter "
    "let the cloud through",
    "no_tls": "compare cloud.url with what the chain gave: its port and https",
}


def _got(scene: "Scene", step: str) -> "CloudLook":
    """How the way went up to a step. NotLooked when it ended before."""
    look = scene.cloud()
    if STEPS.index(look.step) < STEPS.index(step):
        raise NotLooked(f"the way to the cloud ends before that ({look.step})")
    return look


@check(
    "cloud_url",
    area=AREA,
    title="The till knows its cloud",
    severity="error",
    looks_at="`cloud.url`",
    fix="put the cloud's address, as the chain gave it, into the configuration as cloud.url",
)
def cloud_url(scene: "Scene") -> Answer:
    """It is set."""
    url = scene.usable_settings().cloud.url
    return "it is set" if url else Bad(found="cloud.url is empty: sales are kept, and go nowhere")


@check(
    "cloud_name",
    area=AREA,
    title="The cloud's name is known",
    severity="error",
    looks_at="its addresses by the name server",
    fix="check the store's line and name server (`resolvectl status`), and the spelling of cloud.url",
)
def cloud_name(scene: "Scene") -> Answer:
    """It has an address."""
    look = scene.cloud()
    if look.step == "name":
        return Bad(found=f"{look.host}: {look.why}")
    return ", ".join(look.addresses[:3])


@check(
    "cloud_connect",
    area=AREA,
    title="The cloud takes connections",
    severity="error",
    looks_at="a TCP connection within 1.5 s",
    fix="have the store's firewall let this till out to the cloud's port; else the cloud is down: ask who runs it",
)
def cloud_connect(scene: "Scene") -> Answer:
    """It takes one."""
    look = _got(scene, "connect")
    if look.step == "connect":
        return Bad(found=f"{look.host}:{look.port}: {look.why}")
    return f"{look.addresses[0]}:{look.port}"


@check(
    "cloud_tls",
    area=AREA,
    title="The cloud proves who it is",
    severity="error",
    looks_at="its certificate by the system's trusted ones: expired, another host's, nobody's; how long it is good",
    fix="see what was found: each kind has a fix of its own",
)
def cloud_tls(scene: "Scene") -> Answer:
    """Its certificate is good for two weeks and more."""
    look = _got(scene, "tls")
    if look.step == "tls":
        return Bad(
            found=f"{look.host}: {look.why}",
            fix=TLS_FIXES.get(look.reason, "look at what stands between the store and the cloud: a proxy, a filter"),
        )
    left_s = look.expires_s - scene.now_ms() // 1000
    if look.expires_s and left_s < ENDS_SOON_S:
        return Bad(
            found=f"its certificate ends in {left_s // 86_400} days",
            fix="whoever runs the cloud renews it",
            severity="warning",
        )
    return f"good for {left_s // 86_400} days" if look.expires_s else "no certificate on the way within this machine"


@check(
    "cloud_answer",
    area=AREA,
    title="It is the cloud that answers",
    severity="error",
    looks_at="`GET /livez` of the cloud: a portal's page, a redirect or another server is told as such",
    fix="sign in to the network's portal or have it let the till through; compare cloud.url with what the chain gave",
)
def cloud_answer(scene: "Scene") -> Answer:
    """The cloud itself does."""
    look = _got(scene, "answer")
    if look.step == "answer":
        fix = "" if look.reason == "portal" else "whoever runs the cloud looks at its log; compare cloud.url's path"
        return Bad(found=f"{look.host}: {look.why}", fix=fix)
    return "the cloud answers"


@check(
    "clock_offset",
    area="clock",
    title="The till's clock goes as the cloud's",
    severity="warning",
    looks_at="the cloud's `Date` against this machine's clock (2 minutes)",
    fix="set the clock: `timedatectl set-ntp true`",
)
def clock_offset(scene: "Scene") -> Answer:
    """Within two minutes."""
    look = _got(scene, "answer")
    if look.offset_ms is None or look.step != "through":
        raise NotLooked("the cloud itself told no time")
    seconds = abs(look.offset_ms) // 1000
    if abs(look.offset_ms) > SKEW_LIMIT_MS:
        return Bad(found=f"this clock is {seconds} s {'behind' if look.offset_ms > 0 else 'ahead'}")
    return f"within {seconds + 1} s"


@check(
    "sync_halted",
    area=AREA,
    title="The exchange with the cloud goes on",
    severity="error",
    looks_at="whether the agent has stopped it until a person mends something",
    fix="docs/how-to/find-out-what-is-wrong.md has a row for the code; the queue is kept meanwhile",
)
def sync_halted(scene: "Scene") -> Answer:
    """It is not halted."""
    told = scene.status()["sync"]
    halted = str(told["halted"])
    if halted in NAMED_HALTS:
        raise NotLooked(f"halted, which another finding tells: {halted}")
    if not halted:
        return "it goes on by itself"
    why = str(told["last_error"])
    return Bad(found=f"halted: {why if why.startswith(halted) else f'{halted} {why}'.strip()}",
               fix=HALT_FIXES.get(halted, ""))  # fmt: skip


@check(
    "sync_offline",
    area=AREA,
    title="The agent has the cloud on the line",
    severity="warning",
    looks_at="the agent's own exchange, where this doctor gets through",
    fix="`tillside sync now` tries at once; `journalctl -u tillside -n 50` has the reason",
)
def sync_offline(scene: "Scene") -> Answer:
    """Online."""
    told = scene.status()["sync"]
    if scene.cloud().step != "through":
        raise NotLooked("the way to the cloud is broken, which another finding tells")
    if told["halted"]:
        raise NotLooked("the exchange is halted")
    if not scene.status().get("ready", True):
        raise NotLooked("the agent is not ready, which another finding tells")
    if told["online"]:
        return "online"
    return Bad(found=f"offline: {told['last_error'] or 'not yet tried'}")
