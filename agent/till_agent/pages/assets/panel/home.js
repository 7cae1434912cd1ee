// The first screen: find a customer by scan, phone, card or name, and see what they have.

import { banner, fill, h, icon } from "/common/dom.js";
import { recall, remember } from "/common/words.js";
import { clear, digitsField, letters, pad, phoneField, textInput, tooShort } from "./fields.js";
import { memberCard, nameOf } from "./member.js";
import { button, segmented, walkable } from "./parts.js";

const WHOLE_CARD_DIGITS = 8; // Shorter numbers are the end of one.
const SEARCH_AFTER_MS = 250;
const FOUND_LIMIT = 20;
const FEWEST = 2;
const KEYS_KEPT = "tillside.panel.keys";

export class Home {
  constructor(app) {
    this.app = app;
    app.state.find ??= { mode: "phone", name: "" };
    this.find = h("section.card.stack.find");
    this.side = h("div.side");
    this.keys = h("div.keys");
    this.node = h("div.home", null, this.find, this.side, this.keys);
    this.searching = null;
    this.typing = false;
    this.drawFind();
    this.drawSide();
  }

  field() {
    return this.input;
  }

  resume() {}

  // Whether anything of a person stands here.
  shows() {
    return Boolean(this.app.state.member || this.results || this.trouble || this.input.value);
  }

  leave() {
    clearTimeout(this.timer);
    this.searching?.abort();
  }

  escape() {
    this.typing = false;
    this.app.state.member = null;
    this.app.announce("");
    this.app.state.find.name = "";
    this.results = null;
    this.trouble = "";
    this.drawFind();
    this.drawSide();
    this.input.focus();
  }

  onMember(member) {
    this.typing = false;
    this.results = null;
    this.trouble = "";
    this.note("");
    if (member) clear(this.input);
    this.drawSide();
  }

  // Nobody else: what is being typed for the next one stays.
  onRetold() {
    this.drawSide();
  }

  onTrouble(text) {
    this.app.state.member = null;
    this.results = null;
    this.trouble = text;
    this.drawSide();
  }

  onLine() {
    const state = `${this.app.line.scannerAdvice()} ${this.app.line.scannerState()}`;
    if (this.advised === state) return;
    this.advised = state;
    if (!this.app.state.member && !this.results) this.drawSide();
  }

  choose(mode) {
    this.typing = true;
    this.app.state.find.mode = mode;
    this.results = null;
    this.drawFind();
    this.drawSide();
    this.input.focus();
  }

  drawFind() {
    const { t, facts } = this.app;
    const { mode } = this.app.state.find;
    const modes = ["phone", "card", "name"].map((each) => [each, t(`find.${each}`)]);
    this.said = h("p.wrong.note", { id: "find-note", role: "alert" });
    const field = {
      phone: () => phoneField("find-phone", t, t("find.phone.label"), facts.country, { onChange: () => this.note("") }),
      card: () => digitsField("find-card", t("find.card.label"), { onChange: () => this.note("") }),
      name: () => this.nameField(),
    }[mode]();
    this.input = field.input;
    this.read = field.read;
    this.input.setAttribute("aria-describedby", "find-note");
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.submit(event);
    });
    const go = button("primary big", t("find.do"), (event) => this.submit(event), { drawn: "search", data: { key: "find" } });
    fill(
      this.find,
      h("h1.unseen", null, t("find.title")),
      segmented(t("find.how"), modes, mode, (picked) => this.choose(picked)),
      field.node,
      this.said,
      mode === "name" ? null : pad(t, () => this.input),
      mode === "name" ? this.keysButton() : null,
      go,
    );
    this.node.classList.toggle("by-name", mode === "name");
    this.keysShown = null;
    this.drawKeys();
  }

  nameField() {
    const { t } = this.app;
    const input = textInput("find-name", { class: "large", maxlength: 60 });
    input.value = this.app.state.find.name;
    input.addEventListener("pointerdown", () => {
      this.typing = true;
      this.drawKeys();
    });
    input.addEventListener("input", () => {
      this.app.state.find.name = input.value;
      this.note("");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(input.value.trim()), SEARCH_AFTER_MS);
    });
    return { node: h("div.field", null, h("label", { for: "find-name" }, t("find.name.label")), input), input, read: () => input.value.trim() };
  }

  keysButton() {
    const press = () => {
      this.typing = !this.keysShown;
      remember(KEYS_KEPT, this.typing ? "on" : "off");
      this.drawKeys();
      this.input.focus();
    };
    this.keysToggle = button("", this.app.t("keys.label"), press, { data: { key: "keys" } });
    return this.keysToggle;
  }

  // The keyboard takes the room of half a member: it makes way for one until somebody wants to type the next name.
  drawKeys() {
    const wanted = this.typing || !this.app.state.member;
    const shown = wanted && this.app.state.find.mode === "name" && recall(KEYS_KEPT) !== "off";
    if (shown === this.keysShown) return;
    this.keysShown = shown;
    this.keysToggle?.setAttribute("aria-pressed", String(shown));
    this.node.classList.toggle("with-keys", shown);
    fill(this.keys, shown ? letters(this.app.t, this.app.language, () => this.input, { capitals: true }) : null);
  }

  note(text) {
    this.said.textContent = text;
    this.input.setAttribute("aria-invalid", String(Boolean(text)));
  }

  async submit(event) {
    event?.preventDefault();
    const { t, facts } = this.app;
    const { mode } = this.app.state.find;
    const read = this.read();
    if (mode === "name") return this.search(read, { told: true });
    if (mode === "card") {
      if (!read) return this.note(t("find.empty"));
      return read.length < WHOLE_CARD_DIGITS ? this.search(read, { told: true }) : this.identify({ card: read });
    }
    if (!read.digits) return this.note(t("find.empty"));
    if (!read.whole) return this.note(tooShort(t, facts.country, read));
    return this.identify({ phone: read.value });
  }

  async identify(who) {
    this.find.setAttribute("aria-busy", "true");
    const { turn } = this.app;
    const found = await this.app.ask(() => this.app.till.identify(who, { language: this.app.language }), { quiet: true });
    this.find.removeAttribute("aria-busy");
    if (this.app.screen !== this || this.app.turn !== turn) return; // Somebody else was scanned meanwhile.
    if (!found.ok) return this.note(found.text);
    const scanned = who.card ? { kind: "card", text: who.card } : { kind: "phone", text: who.phone };
    this.app.take({ ...found.value, scanned: who.reference ? null : scanned });
  }

  // By the name's letters, or the last digits of a card. `told`: somebody asked for it, so say when it is too short.
  async search(query, { told = false } = {}) {
    clearTimeout(this.timer);
    this.searching?.abort();
    if ([...query].length < FEWEST) {
      if (told) this.note(this.app.t("find.more_letters"));
      this.results = null;
      return this.drawSide();
    }
    const { signal } = (this.searching = new AbortController());
    const found = await this.app.ask(() => this.app.till.members({ query, limit: FOUND_LIMIT, signal }), { quiet: true, signal });
    if (found.aborted) return;
    if (!found.ok) return this.note(found.text);
    this.app.state.member = null;
    this.results = found.value;
    this.drawSide();
    const count = found.value.members.length;
    this.app.announce(this.app.t(count ? "find.found" : "find.none", { count }));
  }

  drawSide() {
    const { member } = this.app.state;
    fill(this.side, member ? this.drawMember(member) : this.results ? this.drawResults() : this.drawWaiting());
    this.drawKeys();
  }

  drawMember(member) {
    return memberCard(this.app, member, { actions: this.actions(member) });
  }

  actions(member) {
    const { app } = this;
    const { t } = app;
    const may = app.facts.scopes.includes("register");
    const shown = [];
    // Nobody's number is registered first; of somebody who can't be asked about just now, the sale comes first.
    const stranger = !member.known && may;
    const registerFirst = stranger && member.spendable_reason !== "not_here";
    if (stranger) {
      const kind = registerFirst ? "primary big grow" : "big grow";
      shown.push(button(kind, t("do.register"), () => app.go("register", { from: member.scanned }), { drawn: "plus", data: { key: "register" } }));
    }
    if (app.facts.sell && member.status !== "blocked") {
      const kind = registerFirst ? "big grow" : "primary big grow";
      const sell = button(kind, t("do.sell"), () => app.go("sell"), { drawn: "card", data: { key: "sell" } });
      if (registerFirst) shown.push(sell);
      else shown.unshift(sell);
    }
    if (member.known && may && member.status !== "blocked") {
      shown.push(button("big", t("do.attach"), () => app.go("register", { attachTo: member }), { drawn: "card", data: { key: "attach" } }));
    }
    shown.push(button("big grow", t("do.next_customer"), () => this.escape(), { drawn: "check", data: { key: "next" } }));
    return shown;
  }

  drawResults() {
    const { t } = this.app;
    const { members, more } = this.results;
    if (!members.length) return h("section.card.stack", null, banner("info", "", t("find.none")));
    const rows = members.map((each) => {
      const pick = () => this.identify({ reference: each.reference });
      return h(
        "li",
        null,
        h(
          "button.button.found",
          { type: "button", data: { key: `found-${each.reference}` }, on: { click: pick } },
          h("span.grow.stack", null, h("span.found-name", null, nameOf(this.app, { ...each, known: true })), h("span.soft.small.number", null, [each.phone_masked, each.card_masked].filter(Boolean).join("  ·  "))),
          h("span.number.found-points", null, this.app.points(each.balance_points)),
        ),
      );
    });
    return h(
      "section.card.stack.results",
      null,
      h("p.soft", null, t("find.found", { count: members.length }), more ? ` ${t("find.more")}` : ""),
      walkable(h("ul.stack.scrolls", { data: { scrolls: "" } }, rows)),
    );
  }

  drawWaiting() {
    const { t, line } = this.app;
    const advice = line.scannerAdvice();
    return h(
      "section.card.stack.waiting",
      null,
      h("div.waiting-icon", { "aria-hidden": "true" }, icon("scanner")),
      h("h2", null, t("wait.title")),
      h("p.soft", null, t("wait.more")),
      this.trouble ? banner("warning", "", this.trouble) : null,
      advice ? banner("info", "", advice) : null,
    );
  }
}
