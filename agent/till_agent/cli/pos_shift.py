"""Commands around the receipt: returns, voids, slips, registration, waiting, the till itself."""

import time
from typing import Any, cast, get_args

from msgspec.structs import replace

from till_agent.api import Language, ReturnLineRequest, ReturnRequest, Reversed, SoldAt
from till_agent.cli.pos_commands import command, number_of, one
from till_agent.cli.pos_parsing import NotUnderstoodError, read_quantity, split_options
from till_agent.cli.pos_session import Session
from till_agent.cli.pos_unsent import Document
from till_agent.client import ClientError, RefusedError
from till_agent.member_api import CardAttach, ConsentGiven, MemberCreate

LAST = 10
WAIT_S = 30
POLL_S = 0.2
ORDINARY = {"birth": "birth_date", "sex": "sex", "card": "card", "name": "name", "referrer": "referrer"}


@command("void [RECEIPT]", "Cancel a whole sale: the last one, or by its number or uid")
def _void(session: Session, words: list[str]) -> Any:
    uid = session.find_sold(one(words, "a receipt") if words else "")
    return _reverse(session, Document(uid=uid), uid, "voided")


@command("return RECEIPT [LINE[=QUANTITY] ...] [till=...]", "Take goods back: all that is left, or these lines")
def _return(session: Session, words: list[str]) -> Any:
    plain, options = split_options([word for word in words[1:] if not word[0].isdecimal()], PLACES)
    if not words or plain:
        raise NotUnderstoodError("expected a receipt, and then lines: `return 3 1 2=0.5`")
    uid = session.find_sold(words[0])
    lines = [_back(session, uid, word) for word in words[1:] if word[0].isdecimal()]
    where = {name: values[-1] for name, values in options.items()}
    asked = ReturnRequest(
        sale_uid=uid, lines=tuple(lines), cashier=session.cashier, sold_at=SoldAt(**where) if where else None
    )
    return _reverse(session, Document(uid=session.new_uid("r"), give_back=asked), uid, "returned")


PLACES = ("till", "store", "number", "date")


def _back(session: Session, uid: str, word: str) -> ReturnLineRequest:
    """`2` is all that is left of line 2, `2=0.5` half of one."""
    name, _, quantity = word.partition("=")
    number = number_of(name, "the number of a line")
    if quantity:
        return ReturnLineRequest(number=number, quantity_thousandths=read_quantity(quantity))
    sold = session.ask(lambda: session.till.sale_lines(uid)).lines
    for line in sold:
        if line.number == number:
            return ReturnLineRequest(number=number, quantity_thousandths=line.left_thousandths)
    raise NotUnderstoodError(f"expected a line of {uid}, not {number}")


def _reverse(session: Session, document: Document, sale_uid: str, state: str) -> Any:
    session.unsent.put(document)
    try:
        found = session.ask(lambda: document.send(session.till))
    except ClientError as exc:
        if isinstance(exc, RefusedError) and not exc.lost and not exc.retryable:
            session.unsent.drop(document)
            raise
        if isinstance(exc, RefusedError):
            session.screen.problem(exc)
        session.screen.say(f"  the {document.kind} {document.uid} will be sent again later", "yellow")
        return {"uid": document.uid, "unsent": True, "why": exc.code}
    session.unsent.drop(document)
    for row in session.sold:
        if row.uid == sale_uid:
            row.state = state
    if isinstance(found, Reversed):
        session.screen.reversed(found)
    return found


@command("last [COUNT]", "The till's last receipts, also those that still have to be sent")
def _last(session: Session, words: list[str]) -> Any:
    count = number_of(words[0], "how many receipts") if words else LAST
    units = session.units
    unsent = [each for each in session.sold if each.state in ("unsent", "refused")][-count:]
    rows = [(each.number, each.uid, "", units.money(each.total_minor), "", "", each.state) for each in unsent]
    sales = session.ask(lambda: session.till.sales(limit=min(count, 100))).sales
    for each in sales:
        who = each.name_masked or each.phone_masked or each.card_masked or ("member" if each.member else "")
        earned, spent = units.points(each.earned_points), units.points(each.redeemed_points)
        state = f"{each.state}, {each.sync}"
        rows.append(
            (each.number, each.uid, who, units.money(each.total_minor - each.discount_minor), earned, spent, state)
        )
    session.screen.rows(("#", "uid", "member", "total", "earned", "spent", "state"), rows)
    return {"sales": sales, "unsent": unsent}


@command("look [RECEIPT]", "A sale as it stands, and what the cloud said")
def _look(session: Session, words: list[str]) -> Any:
    uid = session.find_sold(one(words, "a receipt") if words else "")
    view = session.ask(lambda: session.till.sale(uid))
    session.screen.say(f"  {view.state}, at the cloud: {view.sync} {view.sync_code}, slip {view.slip.state}")
    session.screen.sale(view.sale)
    return view


@command("slip [RECEIPT]", "The slip on the screen")
def _slip(session: Session, words: list[str]) -> Any:
    uid = session.find_sold(one(words, "a receipt") if words else "")
    text = session.ask(lambda: session.till.slip(uid, language=session.language))
    session.screen.say(text)
    return {"uid": uid, "text": text}


@command("print [RECEIPT]", "Print the slip again, marked as a copy")
def _print(session: Session, words: list[str]) -> Any:
    uid = session.find_sold(one(words, "a receipt") if words else "")
    state = session.ask(lambda: session.till.print(uid, language=session.language))
    session.screen.say(f"  {state.state} {state.printer}")
    return state


@command("register PHONE [name=...] [card=...] [birth=...]", "Make somebody a member; it says what is still needed")
def _register(session: Session, words: list[str]) -> Any:
    plain, options = split_options(words, tuple(ORDINARY))
    if not plain and "card" not in options:
        raise NotUnderstoodError("expected a phone number, or card=...")
    more: dict[str, Any] = {ORDINARY[name]: values[-1] for name, values in options.items()}
    phone = "".join(plain) or None
    return _step(session, MemberCreate(uid=session.new_uid("m"), phone=phone, language=session.language, **more))


def _step(session: Session, asked: MemberCreate) -> Any:
    """One step of a registration; what it says is needed comes with the next command."""
    found = session.ask(lambda: session.till.register(asked))
    session.registration = asked if found.state == "needs" else None
    session.screen.messages(found.messages)
    if found.consent is not None:
        # The next step names the version of the text that was shown.
        session.registration = replace(asked, consent=ConsentGiven(version=found.consent.version, given=False))
        session.screen.say(f"  {found.consent.text}")
    if found.state == "needs":
        how = {"consent": "`consent yes`", "code": "`code 1234`, or `code none`", "phone": "`register PHONE`"}
        session.screen.say(f"  needed: {', '.join(how[need] for need in found.needs)}", "yellow")
    else:
        session.screen.say(f"  {found.state}", "green")
    if found.member is not None:
        session.open.member = found.member
        session.open.changed()
        session.screen.member(found.member)
    return found


def _under_way(session: Session) -> MemberCreate:
    if session.registration is None:
        raise NotUnderstoodError("expected a registration first: `register PHONE`")
    return session.registration


@command("consent yes|no", "What the person said to the text of a registration")
def _consent(session: Session, words: list[str]) -> Any:
    said, asked = one(words, "`consent yes` or `consent no`"), _under_way(session)
    if said == "no":
        session.registration = None
        return None
    if said != "yes" or asked.consent is None:
        raise NotUnderstoodError("expected `consent yes` or `consent no`, after the text was shown")
    return _step(session, replace(asked, consent=replace(asked.consent, given=True)))


@command("code CODE|again|none", "The one-time code of a registration: say it, have another sent, go on without")
def _code(session: Session, words: list[str]) -> Any:
    said, asked = one(words, "a code, `again` or `none`"), _under_way(session)
    if said == "again":
        return _step(session, replace(asked, code="", attempt=asked.attempt + 1))
    if said == "none":
        return _step(session, replace(asked, without_code=True))
    if not (said.isdecimal() and 4 <= len(said) <= 8):
        raise NotUnderstoodError(f"expected a code of 4 to 8 digits, `again` or `none`, not {said!r}")
    return _step(session, replace(asked, code=said))


@command("attach CARD", "Give the receipt's member a card")
def _attach(session: Session, words: list[str]) -> Any:
    card, member = one(words, "a card's number"), session.open.member
    if member is None:
        raise NotUnderstoodError("expected a member first: `card`, `phone` or `scan`")
    asked = CardAttach(uid=session.new_uid("c"), card=card, language=session.language)
    found = session.ask(lambda: session.till.attach(member.reference, asked))
    session.screen.say(f"  {found.state}", "green")
    session.screen.messages(found.messages)
    return found


@command("language ru|kk|ky|uk|en|till", "Of what the agent says to the cashier, and of slips")
def _language(session: Session, words: list[str]) -> Any:
    word = one(words, "a language")
    if word not in (*get_args(Language), "till"):
        raise NotUnderstoodError(f"expected one of {', '.join(get_args(Language))} or till, not {word!r}")
    session.language = None if word == "till" else cast("Language", word)
    return None


@command("cashier NAME", "Who sells")
def _cashier(session: Session, words: list[str]) -> Any:
    session.cashier = " ".join(words)


@command("shift NUMBER", "The shift that receipts are of")
def _shift(session: Session, words: list[str]) -> Any:
    session.shift = one(words, "a shift's number")


@command("status", "How the agent stands")
def _status(session: Session, _words: list[str]) -> Any:
    found = session.ask(session.till.status)
    session.online = found.sync.online
    say = session.screen.say
    say(f"  {found.till} of {found.store}, {'takes sales' if found.ready else 'takes no sales'}, {found.version}")
    say(f"  line {'up' if found.sync.online else 'down'}, {found.sync.waiting} to send to the cloud")
    say(f"  programme {found.programme or 'none'}, {found.members_cached} members")
    for device in found.devices:
        say(f"  {device.role} {device.device}: {device.state} {device.detail}".rstrip())
    session.screen.messages(found.problems)
    return found


@command("unsent", "What waits for the agent, or was refused when it came back")
def _unsent(session: Session, _words: list[str]) -> Any:
    documents = session.unsent.documents
    rows = [(each.kind, each.uid, f"refused: {each.refused}" if each.refused else "waits") for each in documents]
    session.screen.rows(("kind", "uid", "state"), rows)
    return [{"uid": each.uid, "kind": each.kind, "refused": each.refused} for each in documents]


@command("send", "Send what waits for the agent now")
def _send(session: Session, _words: list[str]) -> Any:
    session.ask(session.till.livez)
    session.send_unsent()
    return {"left": len(session.unsent.waiting)}


@command("wait scan|ready|online [SECONDS]", "For scripts: until something is scanned, sales are taken, the line is up")
def _wait(session: Session, words: list[str]) -> Any:
    if not 1 <= len(words) <= 2 or words[0] not in ("scan", "ready", "online"):
        raise NotUnderstoodError("expected `wait scan`, `wait ready` or `wait online`")
    seconds = number_of(words[1], "a number of seconds") if len(words) > 1 else WAIT_S
    if words[0] == "ready":
        return session.ask(lambda: session.till.wait_ready(seconds * 1000))
    if words[0] == "scan":
        if not session.news.wait_for(lambda: session.scans, seconds):
            raise NotUnderstoodError(f"expected a scan within {seconds} s, and none came")
        scan = session.scans.popleft()
        session.take_scan(scan)
        return scan
    give_up = time.monotonic() + seconds
    while not session.ask(session.till.status).sync.online:
        if time.monotonic() > give_up:
            raise NotUnderstoodError(f"expected a line to the cloud within {seconds} s, and there is none")
        session.news.wait(POLL_S)  # events are taken in meanwhile
    session.online = True
    return {"online": True}
