// The panel: its frame, its screens, where scans go, and how what goes wrong is told.

import { Problem } from "/client/tillside.js";
import { banner, fill, h, icon, toast } from "/common/dom.js";
import { money, points, quantity } from "/common/format.js";
import { languagePicker } from "/common/session.js";
import { every, follow } from "/common/stream.js";
import { keepLanguage, loadWords, pickedLanguage } from "/common/words.js";
import { Home } from "./home.js";
import { Line } from "./line.js";
import { Kept } from "./kept.js";
import { nameOf, retold } from "./member.js";
import { button, wideBanner } from "./parts.js";
import { Receipts } from "./receipts.js";
import { Register } from "./register.js";
import { Sell } from "./sell.js";
import { isTyped, watchWedge } from "./wedge.js";

const SCREENS = { home: Home, register: Register, receipts: Receipts, sell: Sell };
const DRAWN = { home: "user", register: "plus", receipts: "list", sell: "card" };
const AIM = /^\][A-Za-z][0-9A-Za-z]/; // What some scanners put before a code to say of which kind it is.
const SAME_SCAN_MS = 1500;
// When nobody touched anything for so long, what is shown of a person goes: the next customer could read it, and a balance
// that was right then is not now. What was begun and not sent stays longer.
const IDLE_MS = 180_000;
const IDLE_BEGUN_MS = 600_000;
const TOUCHES = ["keydown", "pointerdown", "wheel"];

export class App {
  constructor({ host, till, facts }) {
    this.host = host;
    this.till = till;
    this.facts = facts;
    this.kept = new Kept(till);
    this.line = new Line(this);
    // A receipt that was under way when the page was loaded anew comes first.
    const open = facts.sell && ["held", "sending"].includes(this.kept.receipt?.phase);
    this.state = { screen: open ? "sell" : "home", member: null };
    this.said = h("div.unseen", { role: "status", "aria-live": "polite", id: "said" });
    this.alerted = h("div.unseen", { role: "alert", id: "alerted" });
    this.wasAway = false;
    this.turn = 0; // Goes up with each member that is shown: an answer that comes later than another's is dropped.
    this.touch = () => (this.touchedAt = performance.now());
    this.touch();
    this.lastScan = { text: "", at: -Infinity };
  }

  // Works until the token is not taken any more.
  async run() {
    await this.useLanguage(pickedLanguage(this.facts.language));
    const stopWedge = watchWedge(document, {
      onScan: (text) => this.wedged(text),
      beforeTyping: (event) => this.catchTyping(event),
    });
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    for (const name of TOUCHES) document.addEventListener(name, this.touch, true);
    const ended = new Promise((resolve) => {
      this.refused = resolve;
    });
    this.open();
    this.line.start(every);
    this.kept.releaseAll();
    await ended;
    this.stream.close();
    this.line.stop();
    stopWedge();
    document.removeEventListener("keydown", this.onKey);
    for (const name of TOUCHES) document.removeEventListener(name, this.touch, true);
    this.screen.leave?.();
  }

  open() {
    this.stream = follow({
      till: this.till,
      onEvent: (name, data) => this.event(name, data),
      onState: (state) => (state === "refused" ? this.refused() : this.line.onState(state)),
    });
  }

  // The agent answers, and its stream still pauses: begin it anew instead of waiting.
  kick() {
    this.stream?.close();
    this.open();
  }

  get language() {
    return this.words.language;
  }

  async useLanguage(language) {
    this.words = await loadWords("panel", language);
    this.t = this.words.t;
    document.documentElement.lang = language;
    document.title = this.t("title");
    this.draw();
  }

  async pickLanguage(language) {
    keepLanguage(language);
    await this.useLanguage(language);
    this.host.querySelector("header .select")?.focus();
    if (this.state.member?.reference) {
      // Its sentences come from the agent, in the language that was asked for.
      const { reference } = this.state.member;
      const found = await this.ask(() => this.till.identify({ reference }, { language }), { quiet: true });
      if (found.ok) this.retold(reference, found.value);
    }
  }

  // The same member in other words: shown where one is shown, and no reason to leave a screen.
  retold(reference, member) {
    if (this.state.member?.reference !== reference) return;
    this.state.member = retold(this.state.member, member);
    if (this.screen.onRetold) this.screen.onRetold();
    else this.screen.onMember?.(this.state.member);
  }

  // Called every second.
  forgetIdle() {
    const begun = this.state.screen !== "home" && !this.state.sold;
    if (performance.now() - this.touchedAt < (begun ? IDLE_BEGUN_MS : IDLE_MS)) return;
    if (this.screen.holdsMember?.() || document.querySelector("dialog[open]") || this.line.away) return;
    this.touch();
    if (this.state.screen === "home" && !this.screen.shows()) return;
    if (this.kept.receipt?.phase === "edit") this.kept.receipt = null;
    const { mode } = this.state.find ?? {};
    this.state = { screen: "home", member: null, ...(mode ? { find: { mode, name: "" } } : {}) };
    this.said.textContent = "";
    this.alerted.textContent = "";
    this.go("home");
  }

  money(minor) {
    return money(minor, this.facts.currency_exponent, this.language);
  }

  points(minor) {
    return points(minor, this.facts.points_exponent, this.language);
  }

  quantity(thousandths) {
    return quantity(thousandths, this.language);
  }

  // The agent names the tier in the language that it was asked in.
  tier(member) {
    return member.tier_title || member.tier;
  }

  // The frame, and in it the screen.
  draw() {
    const { t } = this;
    this.line.shown = {};
    this.main = h("main#main", { tabindex: -1 });
    this.nav = h("nav.rail", { "aria-label": t("nav.label") });
    this.awayHost = h("div", { role: "alert" });
    fill(
      this.host,
      h("a.skip", { href: "#main", on: { click: (event) => this.skip(event) } }, t("skip")),
      h(
        "header.bar",
        null,
        h("div.grow", null, h("div.shop", null, this.facts.store_name || "Tillside"), h("div.soft.small", null, this.facts.till)),
        this.line.chips,
        languagePicker(this.words, (picked) => this.pickLanguage(picked)),
      ),
      this.line.banners,
      this.awayHost,
      h("div.frame", null, this.nav, this.main),
      this.said,
      this.alerted,
    );
    this.go(this.state.screen, { again: true });
    this.line.draw();
  }

  skip(event) {
    event.preventDefault();
    this.main.focus();
  }

  screens() {
    return Object.keys(SCREENS).filter((name) => name !== "sell" || this.facts.sell);
  }

  // Show a screen; `again` keeps what it was doing.
  go(name, { again = false, ...params } = {}) {
    this.screen?.leave?.();
    this.state.screen = name;
    fill(
      this.nav,
      this.screens().map((each) =>
        h(
          "button.button.rail-item",
          {
            type: "button",
            "aria-current": each === name ? "page" : null,
            data: { key: `nav-${each}` },
            on: { click: () => this.go(each) },
          },
          icon(DRAWN[each]),
          h("span", null, this.t(`nav.${each}`)),
        ),
      ),
    );
    this.screen = new SCREENS[name](this, params);
    this.main.dataset.screen = name;
    fill(this.main, this.screen.node);
    if (again) this.screen.resume?.();
    else this.focusField();
  }

  focusField() {
    const field = this.screen.field?.();
    (field ?? this.main).focus({ preventScroll: true });
  }

  // A member is shown, on whatever screen has a place for one; else on the first.
  show(member, { told = false } = {}) {
    this.turn += 1;
    this.touch();
    this.state.member = member;
    if (member && told) this.announce(this.memberSaid(member));
    if (this.screen.onMember) this.screen.onMember(member);
    else if (member) this.go("home");
  }

  memberSaid(member) {
    return this.t("member.said", {
      name: nameOf(this, member),
      balance: this.points(member.balance_points),
      spendable: this.points(member.spendable_points),
    });
  }

  // Read out, not shown: it is on the screen already.
  announce(text) {
    this.said.textContent = "";
    this.said.textContent = text;
  }

  notice(level, text) {
    toast(level, text);
  }

  // Carries a call out. Gives {ok, value} or {ok: false, problem, text}; an aborted one gives {ok: false, aborted}.
  async ask(call, { quiet = false, signal = null } = {}) {
    try {
      return { ok: true, value: await call() };
    } catch (problem) {
      if (signal?.aborted) return { ok: false, aborted: true };
      if (problem instanceof Problem && problem.status === 401) this.refused();
      if (!(problem instanceof Problem)) reportError(problem);
      const text = this.problemText(problem);
      if (!quiet) this.announce(text);
      return { ok: false, problem, text };
    }
  }

  // A sentence for the cashier, whatever went wrong: the agent's own, or one of the panel's.
  problemText(problem) {
    const { words } = this;
    if (!(problem instanceof Problem)) return words.t("problem.other");
    if (!problem.status) return words.t("problem.unreachable");
    return this.inWords(problem.code, problem.cashier) || words.t("problem.other");
  }

  // The agent's sentence, which is in its till's language; in another one the panel's own of the same code.
  inWords(code, said) {
    const own = `problem.${code}`;
    return this.words.has(own) && (!said || this.language !== this.facts.language) ? this.words.t(own) : said;
  }

  event(name, data) {
    this.line.onEvent(name, data);
    if (name === "scan") this.scanned(data);
    if (name === "alert" && this.isForCashier(data)) this.alert(this.inWords(data.code, data.text));
  }

  // Alerts of scans come with the agent's sentence; others are for store IT and stand on its page.
  isForCashier(message) {
    return performance.now() < (this.alertUntil ?? 0) && message.level !== "info";
  }

  alert(text) {
    this.alerted.textContent = text;
    if (this.screen.onTrouble) this.screen.onTrouble(text);
    else this.notice("warning", text);
  }

  async scanned({ kind, text, member }) {
    if (document.querySelector("dialog[open]")) return this.busy();
    if (kind === "goods") return this.trouble("scan.goods");
    if (this.screen.onCode?.(text)) return;
    if (!member) {
      this.alertUntil = performance.now() + 1000;
      return this.trouble("scan.unknown");
    }
    this.take({ ...member, scanned: { kind, text } });
    if (this.language !== this.facts.language) {
      const { reference } = member;
      const found = await this.ask(() => this.till.identify({ reference }, { language: this.language }), { quiet: true });
      if (found.ok) this.retold(reference, found.value);
    }
  }

  trouble(key) {
    this.alerted.textContent = this.t(key);
    if (this.screen.onTrouble) this.screen.onTrouble(this.t(key));
    else this.notice("warning", this.t(key));
  }

  take(member) {
    if (this.screen.holdsMember?.()) this.busy();
    else this.show(member, { told: true });
  }

  busy() {
    this.notice("warning", this.t("scan.busy"));
    this.alerted.textContent = this.t("scan.busy");
  }

  // A code that a scanner typed into this page. Twice within a moment is once.
  async wedged(raw) {
    const text = raw.replace(AIM, "").trim();
    const at = performance.now();
    const same = text === this.lastScan.text && at - this.lastScan.at < SAME_SCAN_MS;
    this.lastScan = { text, at };
    if (!text || same || document.querySelector("dialog[open]") || this.line.away) return;
    if (this.screen.onCode?.(text)) return;
    const { turn } = this;
    const found = await this.ask(() => this.till.identify({ scan: text }, { language: this.language }));
    if (turn !== this.turn) return; // Somebody else was scanned meanwhile.
    if (found.ok) this.take({ ...found.value, scanned: { kind: "card", text } });
    else this.alert(found.text);
  }

  // What is typed with no field in focus goes to the screen's own field.
  catchTyping(event) {
    const active = document.activeElement;
    if (isTyped(active) || active?.tagName === "SELECT" || document.querySelector("dialog[open]")) return;
    if (event.key === " " || event.ctrlKey || event.altKey || event.metaKey) return;
    const field = this.screen.field?.();
    if (isTyped(field)) field.focus({ preventScroll: true });
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (document.activeElement?.tagName === "SELECT") return;
    event.preventDefault();
    this.screen.escape?.();
  }

  // The line has been looked at: tell when nobody answers, and when somebody does again.
  onLine(line) {
    const away = line === "away";
    if (!this.awayHost) return;
    this.host.classList.toggle("is-away", away);
    // What can't be answered can't be pressed.
    if (this.main.inert !== away) this.main.inert = away;
    const state = away ? `${this.language} ${this.line.awayFor()}` : "";
    if (this.awayShown !== state) {
      this.awayShown = state;
      fill(this.awayHost, away ? this.awayCard() : null);
    }
    if (!away && this.wasAway) {
      this.notice("good", this.t("away.back"));
      this.focusField();
      this.back();
    }
    this.wasAway = away;
    this.screen?.onLine?.(line);
    this.forgetIdle();
  }

  awayCard() {
    const { t } = this;
    const steps = ["away.first", "away.second", "away.third"].map((key) => h("li", null, t(key)));
    const open = this.kept.receipt?.phase === "sending" || this.kept.receipt?.phase === "held" ? h("p", null, t("away.open_receipt")) : null;
    const side = [t("away.since", { age: this.line.awayFor() })];
    return wideBanner("error", t("away.title"), "", { more: [h("ol.steps", null, steps), open], side });
  }

  // The agent is back: it may be a newer one, with other settings, and may want what was kept for it.
  async back() {
    const found = await this.ask(() => this.till.page(), { quiet: true });
    if (!found.ok) return;
    const newer = found.value.version !== this.facts.version;
    this.facts = found.value;
    await this.kept.releaseAll();
    if (newer && !this.kept.receipt && this.state.screen === "home" && !this.state.member) location.reload();
    else this.screen.resume?.();
  }

  again(text, onClick) {
    return banner("warning", "", text, h("div.row", null, button("", this.t("do.again"), onClick, { drawn: "refresh", data: { key: "again" } })));
  }
}
