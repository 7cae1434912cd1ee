// A new member in four steps, each of one glance: phone, consent, code, done. The number stays in memory only.

import { banner, fill, h, icon } from "/common/dom.js";
import { Attach } from "./attach.js";
import { Details } from "./details.js";
import { digitsField, pad, phoneField, tooShort } from "./fields.js";
import { memberCard } from "./member.js";
import { button, newUid } from "./parts.js";
import { steps } from "./stepped.js";

const RESEND_AFTER_MS = 30_000; // A message takes some seconds; a second one meanwhile only confuses.
const CODE = /^[0-9]{4,8}$/;
const MOST_ATTEMPTS = 10;
const ORDER = ["phone", "consent", "code", "done"];

function fresh(from) {
  const card = from && from.kind === "card" ? from.text : "";
  const phone = from && from.kind === "phone" ? from.text : "";
  return { uid: newUid("m"), step: "phone", phone, card, more: {}, attempt: 1, answer: null, trouble: "", note: null };
}

export class Register {
  constructor(app, { from = null, attachTo = null } = {}) {
    this.app = app;
    if (attachTo) app.state.attach = { uid: newUid("c"), member: attachTo, done: false, trouble: "" };
    if (from || !app.state.reg || app.state.reg.step === "done") app.state.reg = fresh(from);
    this.node = h("div.register");
    this.ticking = setInterval(() => this.tick(), 500);
    this.draw();
    // The text of consent comes in the language that it was asked for in: another one is asked for anew.
    if (this.s.step === "consent" && this.s.language !== app.language && !this.s.consent) this.send({});
  }

  get s() {
    return this.app.state.reg;
  }

  field() {
    return this.attach ? this.attach.input : this.input;
  }

  leave() {
    clearInterval(this.ticking);
    this.app.state.attach = null;
  }

  escape() {
    if (this.app.state.attach) return this.finishAttach();
    this.app.state.reg = null;
    this.app.go("home");
  }

  // A card under the scanner is the new member's, or the one to attach.
  onCode(text) {
    if (this.attach) {
      this.attach.take(text);
      return true;
    }
    if (this.s.step === "done") return false;
    this.s.card = text;
    this.draw();
    this.app.announce(this.app.t("reg.card", { card: masked(text) }));
    return true;
  }

  holdsMember() {
    return false;
  }

  onTrouble(text) {
    if (this.attach) return this.attach.onTrouble(text);
    if (this.s.lost) return; // What nobody knows yet stands there, and stays.
    this.s.trouble = text;
    this.draw();
  }

  draw() {
    const { t } = this.app;
    this.attach = null;
    if (this.app.state.attach) {
      this.attach = new Attach(this.app, () => this.finishAttach());
      fill(this.node, this.attach.node);
      this.attach.input?.focus();
      return;
    }
    const body = { phone: () => this.phoneStep(), consent: () => this.consentStep(), code: () => this.codeStep(), done: () => this.doneStep() };
    fill(
      this.node,
      h(
        "div.row.register-head",
        null,
        h("h1.grow", null, t("reg.title")),
        steps(ORDER.map((each) => t(`reg.step.${each}`)), ORDER.indexOf(this.s.step), this.left()),
      ),
      body[this.s.step](),
    );
    (this.input ?? this.first)?.focus({ preventScroll: true });
  }

  // A code that was never handed in has no tick: the phone is not confirmed.
  left() {
    return this.s.answer?.member?.status === "provisional" ? [ORDER.indexOf("code")] : [];
  }

  told() {
    const { trouble, lost } = this.s;
    if (!trouble) return null;
    return lost ? this.app.again(trouble, () => this.send(this.last)) : banner("warning", "", trouble);
  }

  phoneStep() {
    const { t, facts } = this.app;
    this.first = null;
    const field = phoneField("reg-phone", t, t("reg.phone"), facts.country, {
      value: this.s.phone,
      onChange: (read) => {
        this.s.phone = read.value;
        note.textContent = "";
      },
    });
    this.input = field.input;
    const note = h("p.wrong.note", { role: "alert" });
    const go = (event) => {
      event?.preventDefault();
      const read = field.read();
      if (!read.whole) {
        note.textContent = read.digits ? tooShort(t, facts.country, read) : t("reg.phone");
        return;
      }
      this.s.phone = read.value;
      this.send({});
    };
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && go(event));
    return h(
      "div.columns",
      null,
      h("section.card.stack.find", null, field.node, note, pad(t, () => this.input), button("primary big", t("do.next"), go, { data: { key: "next" } })),
      h(
        "section.card.stack",
        null,
        this.told(),
        h(
          "div.stack.waiting",
          null,
          h("div.waiting-icon", { "aria-hidden": "true" }, icon("card")),
          this.s.card ? h("h2", null, t("reg.card", { card: masked(this.s.card) })) : h("p.soft", null, t("reg.card.hint")),
          this.s.card ? button("quiet", t("reg.card.drop"), () => this.dropCard(), { data: { key: "drop-card" } }) : null,
        ),
        h("div.row.actions", null, button("big grow", t("do.cancel"), () => this.escape(), { drawn: "close", data: { key: "cancel" } })),
      ),
    );
  }

  dropCard() {
    this.s.card = "";
    this.draw();
  }

  consentStep() {
    const { t } = this.app;
    const { consent, ask } = this.s.answer;
    this.input = null;
    this.details = ask.length ? new Details(this.app, ask, this.s.more) : null;
    const agree = button("primary big grow", t("reg.agree"), () => this.agreed(), { drawn: "check", data: { key: "agree" } });
    const text = h(
      "blockquote.consent-text.scrolls.grow",
      { tabindex: 0, data: { scrolls: "" }, "aria-labelledby": "consent-how" },
      consent?.text || t("reg.consent.none"),
    );
    // Not the button: an Enter too many agrees to nothing.
    this.first = text;
    return h(
      "div.columns.consent",
      null,
      h(
        "section.card.stack",
        null,
        this.told(),
        h("p.soft", { id: "consent-how" }, t("reg.consent")),
        text,
        h("div.row.actions", null, button("big grow", t("reg.disagree"), () => this.disagreed(), { drawn: "close", data: { key: "disagree" } }), agree),
      ),
      this.details ? [this.details.node, this.details.keys] : null,
    );
  }

  disagreed() {
    this.app.notice("info", this.app.t("reg.disagreed"));
    this.app.announce(this.app.t("reg.disagreed"));
    this.escape();
  }

  agreed() {
    if (this.details) {
      const more = this.details.read();
      if (more === null) return;
      this.s.more = more;
    }
    this.s.consent = { version: this.s.answer.consent?.version ?? "", given: true };
    this.send({});
  }

  codeStep() {
    const { t } = this.app;
    this.first = null;
    const state = this.s.answer.confirmation;
    const field = digitsField("reg-code", t("reg.code"), { most: 8, group: 0, kind: "code-field", onChange: () => (note.textContent = "") });
    this.input = field.input;
    this.input.autocomplete = "one-time-code";
    const note = h("p.wrong.note", { role: "alert" }, this.s.codeNote ?? "");
    const go = (event) => {
      event?.preventDefault();
      const code = field.read();
      if (CODE.test(code)) this.send({ code });
      else note.textContent = t("reg.code.short");
    };
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && go(event));
    this.resend = button("", "", () => this.sendAgain(), { drawn: "refresh", data: { key: "resend" } });
    const sent = state?.state === "sent";
    const side = h(
      "section.card.stack",
      null,
      this.told(),
      h("p.lead", null, sent ? t("reg.code.do", { phone: this.maskedPhone() }) : this.s.note),
      sent && state.tries_left ? h("p.soft", null, t("reg.code.tries", { count: state.tries_left })) : null,
      this.resend,
      h("div.spring"),
      h("p.soft.small", null, t("reg.without.more")),
      h(
        "div.row.actions",
        null,
        button("grow", t("do.cancel"), () => this.escape(), { data: { key: "cancel" } }),
        button("grow", t("reg.without"), () => this.send({ without_code: true }), { data: { key: "without" } }),
      ),
    );
    this.tick();
    const check = button("primary big", t("reg.check"), go, { drawn: "check", data: { key: "check" } });
    return h("div.columns", null, h("section.card.stack.find", null, field.node, note, pad(t, () => this.input), check), side);
  }

  maskedPhone() {
    const digits = this.s.phone.replace(/\D/g, "");
    return `***\u00a0${digits.slice(-4, -2)}\u2011${digits.slice(-2)}`; // In one piece, wherever the line ends.
  }

  tick() {
    if (this.s?.step !== "code" || !this.resend) return;
    const left = Math.ceil((this.s.sentAt + RESEND_AFTER_MS - performance.now()) / 1000);
    const failed = this.s.answer.confirmation?.state !== "sent";
    const wait = !failed && left > 0;
    const text = wait ? this.app.t("reg.resend.in", { seconds: left }) : this.app.t("reg.resend");
    if (this.resend.lastChild.textContent !== text || this.resend.disabled !== wait) {
      this.resend.lastChild.textContent = text;
      this.resend.disabled = wait || this.s.attempt >= MOST_ATTEMPTS;
    }
  }

  sendAgain() {
    this.s.attempt += 1;
    this.s.sentAt = performance.now();
    this.send({}, { again: true });
  }

  doneStep() {
    const { app } = this;
    const { t } = app;
    const { answer } = this.s;
    const { member } = answer;
    const known = answer.state === "known";
    const next = () => this.leaveTo(null);
    const actions = [
      app.facts.sell ? button("primary big grow", t("do.sell"), () => this.leaveTo(member, "sell"), { drawn: "card", data: { key: "sell" } }) : null,
      this.s.card && !known ? null : button("big", t("do.attach"), () => this.startAttach(member), { drawn: "card", data: { key: "attach" } }),
      button(`${app.facts.sell ? "" : "primary "}big grow`, t("do.next_customer"), next, { drawn: "check", data: { key: "next" } }),
    ];
    this.input = null;
    this.first = actions.at(-1);
    const rest = answer.messages.filter((each) => !["registered", "member_known", "code_confirmed"].includes(each.code));
    return h(
      "div.stack.done",
      null,
      banner(known ? "info" : "good", t(known ? "reg.known" : "reg.done"), "", rest.map((each) => h("div", null, each.text))),
      memberCard(app, member, { actions }),
    );
  }

  leaveTo(member, screen = "home") {
    this.app.state.reg = null;
    this.app.state.member = member;
    this.app.go(screen);
  }

  startAttach(member) {
    this.app.state.attach = { uid: newUid("c"), member, done: false, trouble: "" };
    this.draw();
  }

  finishAttach() {
    const { member } = this.app.state.attach;
    this.leaveTo(member);
  }

  // One step of the registration; the same uid throughout, so that a repeated one is the same.
  async send(step, { again = false } = {}) {
    if (this.sending) return;
    this.sending = true;
    this.last = step;
    this.node.setAttribute("aria-busy", "true");
    const { app, s } = this;
    const body = {
      uid: s.uid,
      phone: s.phone,
      ...(s.card ? { card: s.card } : {}),
      ...s.more,
      ...(s.consent ? { consent: s.consent } : {}),
      ...(s.attempt > 1 ? { attempt: s.attempt } : {}),
      member_language: app.language,
      language: app.language,
      ...step,
    };
    const found = await app.ask(() => app.till.register(body), { quiet: true });
    this.sending = false;
    this.node.removeAttribute("aria-busy");
    if (app.state.reg !== s) return;
    s.language = body.language;
    s.trouble = found.ok ? "" : found.problem.lost ? app.t("problem.unsure") : found.text;
    s.lost = !found.ok && Boolean(found.problem.lost);
    if (!found.ok) {
      if (["/phone", "/card"].includes(found.problem.pointer)) s.step = "phone";
      if (found.problem.pointer === "/card") s.card = "";
    } else {
      this.took(found.value, step, again);
    }
    this.draw();
    app.announce(s.trouble || (found.ok ? found.value.messages.map((each) => each.text).join(" ") : ""));
  }

  took(answer, step, again) {
    const { s } = this;
    const before = s.step;
    s.answer = answer.state === "needs" ? { ...answer, consent: answer.consent ?? s.answer?.consent } : answer;
    if (answer.state !== "needs") {
      s.step = "done";
      return;
    }
    s.step = answer.needs.find((each) => ORDER.includes(each)) ?? "phone";
    if (s.step !== "code") return;
    if (before !== "code" || again) s.sentAt = performance.now();
    s.note = answer.messages.at(-1)?.text ?? "";
    s.codeNote = step.code ? s.note : "";
  }
}

function masked(card) {
  return `****\u00a0${card.slice(-4)}`;
}
