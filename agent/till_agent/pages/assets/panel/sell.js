// A sale by the receipt's total, for cash software that does not call the bridge itself. The receipt keeps its uid from
// its first key to its answer, over reloads and repeats: whatever happens to the line or the page, it is made once.

import { parseAmount } from "/common/format.js";
import { banner, fill, h, icon } from "/common/dom.js";
import { pad, textInput } from "./fields.js";
import { memberCard } from "./member.js";
import { age, button, figure, newUid, segmented, settled } from "./parts.js";
import { unsure } from "./kept.js";
import { Proof } from "./proof.js";
import { soldCard } from "./sold.js";

const QUOTE_AFTER_MS = 150;
const HOLD_MS = 600_000;
const NUMBER_LIMIT = 64;

export class Sell {
  constructor(app) {
    this.app = app;
    this.node = h("div.sell");
    this.quote = null;
    const { member } = app.state;
    const kept = app.kept.receipt;
    if (!kept || (kept.phase === "edit" && member && member.reference !== kept.member?.reference)) this.start(member);
    this.ticking = setInterval(() => this.tick(), 1000);
    this.draw();
    if (this.r.phase === "edit") this.requote();
  }

  get r() {
    return this.app.kept.receipt;
  }

  put(changes) {
    this.app.kept.receipt = { ...this.r, ...changes };
  }

  start(member) {
    const plain = member ? { ...member, scanned: null } : null; // No card in clear is kept.
    this.app.kept.receipt = { uid: newUid("s"), member: plain, total: "", redeem: "none", points: "", number: "", phase: "edit" };
    this.app.state.sold = null;
  }

  field() {
    return this.input ?? this.node.querySelector("[data-key=commit], [data-key=next]");
  }

  leave() {
    clearTimeout(this.timer);
    clearInterval(this.ticking);
    this.asking?.abort();
  }

  holdsMember() {
    return Boolean(this.sending) || this.r?.phase === "held" || this.r?.phase === "sending";
  }

  onMember(member) {
    if (this.holdsMember()) return; // The same member told anew: what is under way stays as it is.
    if (this.r?.phase === "edit") {
      if (member?.reference !== this.r.member?.reference) this.quote = null;
      this.put({ member: member ? { ...member, scanned: null } : null });
      this.requote();
    } else {
      this.start(member);
    }
    this.draw();
  }

  onTrouble(text) {
    this.trouble = text;
    this.draw();
  }

  // After a reload, or when the agent is back: a sale that was sent is sent again, as it was.
  resume() {
    if (this.r?.phase === "sending" && !this.sending) this.send();
    else if (this.r?.phase === "edit") this.requote();
  }

  escape() {
    if (this.app.state.sold) this.next();
    else if (this.r.phase === "edit") this.cancel();
    else if (this.r.phase === "held") this.node.querySelector("[data-key=cancel]")?.focus();
  }

  get total() {
    return parseAmount(this.r.total, this.app.facts.currency_exponent);
  }

  // How many points the member wishes to spend: none, all that may be (-1), or so many; null for what is no number.
  get wish() {
    if (this.r.redeem === "none") return 0;
    if (this.r.redeem === "all") return -1;
    return parseAmount(this.r.points || "0", this.app.facts.points_exponent);
  }

  // What a quote is asked for. Only a quote of just this may be sold.
  get key() {
    return this.r ? JSON.stringify([this.r.uid, this.r.member?.reference, this.total, this.wish]) : "";
  }

  get fresh() {
    return Boolean(this.quote) && this.quotedAs === this.key;
  }

  receipt() {
    return { lines: [{ number: 1, sku: "total", name: this.app.t("sell.total"), amount_minor: this.total }] };
  }

  requote() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.timer = setTimeout(() => this.ask(), QUOTE_AFTER_MS);
    const go = this.side?.querySelector("[data-key=go]");
    if (go) go.disabled = !this.fresh;
  }

  async ask() {
    const { app, r } = this;
    if (r?.phase !== "edit") return;
    if (!this.total || !r.member || this.wish === null) {
      this.quote = null;
      return this.drawQuote();
    }
    const { signal } = (this.asking = new AbortController());
    const { key } = this;
    const body = { receipt: this.receipt(), member: { reference: r.member.reference }, redeem_points: this.wish, language: app.language, slip_preview: false };
    const found = await app.ask(() => app.till.quote(body, { signal }), { quiet: true, signal });
    if (found.aborted) return;
    this.quote = found.ok ? found.value : null;
    this.quotedAs = key;
    this.trouble = found.ok ? "" : found.text;
    this.drawQuote();
  }

  draw() {
    const { app, r } = this;
    this.input = null;
    this.proof = null;
    if (app.state.sold) fill(this.node, soldCard(app, app.state.sold, () => this.next()));
    else if (r.phase === "edit") fill(this.node, this.drawEdit());
    else fill(this.node, this.drawHeld());
    this.field()?.focus({ preventScroll: true });
  }

  drawEdit() {
    const { app, r } = this;
    const { t } = app;
    if (!r.member) {
      const find = button("primary big", t("find.title"), () => app.go("home"), { drawn: "search", data: { key: "find" } });
      return h("section.card.stack.waiting", null, h("div.waiting-icon", { "aria-hidden": "true" }, icon("scanner")), h("h2", null, t("sell.who")), this.trouble ? banner("warning", "", this.trouble) : null, find);
    }
    const amount = (id, key, label) => {
      const input = textInput(id, { inputmode: "decimal", class: "large number", maxlength: 16 });
      input.value = r[key];
      input.addEventListener("focus", () => (this.target = input));
      input.addEventListener("input", () => {
        this.put({ [key]: input.value });
        this.requote();
      });
      input.addEventListener("keydown", (event) => event.key === "Enter" && this.go(event));
      return [input, h("div.field", null, h("label", { for: id }, label), input)];
    };
    const [input, field] = amount("sell-total", "total", t("sell.total"));
    const [points, pointsField] = amount("sell-points", "points", t("sell.redeem.other"));
    this.input = this.target = input;
    this.pointsField = pointsField;
    this.points = points;
    this.side = h("section.card.stack.sell-side");
    this.drawQuote();
    const comma = app.language === "en" ? "." : ",";
    const point = app.facts.currency_exponent ? comma : "";
    return h(
      "div.columns",
      null,
      h("section.card.stack.find", null, h("h1.unseen", null, t("sell.title")), field, pad(t, () => this.target, { point }), this.numberField()),
      this.side,
    );
  }

  numberField() {
    const input = textInput("sell-number", { maxlength: NUMBER_LIMIT });
    input.value = this.r.number;
    input.addEventListener("focus", () => (this.target = input));
    input.addEventListener("input", () => this.put({ number: input.value }));
    return h("div.field", null, h("label", { for: "sell-number" }, this.app.t("sell.number")), input);
  }

  drawQuote() {
    if (!this.side || this.r?.phase !== "edit") return;
    const { app, r, quote } = this;
    const { t } = app;
    const focused = this.side.contains(document.activeElement) ? document.activeElement : null;
    const sum = quote?.calculation;
    const most = quote?.redeemable?.points ?? 0;
    const choices = [["none", t("sell.redeem.none")]];
    if (most || r.redeem !== "none") choices.push(["all", t("sell.redeem.all", { points: app.points(most) })], ["some", t("sell.redeem.other")]);
    const wise = (quote?.messages ?? []).filter((each) => each.level !== "info" || /^redeem|^coupon|^rule|proof|birthday/.test(each.code));
    fill(
      this.side,
      memberCard(app, quote?.member ?? r.member, { small: true }),
      quote
        ? h("div.field", null, h("span.label", null, t("sell.redeem")), segmented(t("sell.redeem"), choices, r.redeem, (picked) => this.choose(picked)))
        : h("p.soft", null, t("sell.enter")),
      quote && r.redeem === "some" ? this.pointsField : null,
      quote && most ? h("p.soft.small", null, t("sell.redeem.most", { points: app.points(most) })) : null,
      sum ? this.sums(sum) : null,
      wise.map((each) => banner(each.level, "", each.text)),
      this.trouble ? banner("warning", "", this.trouble) : null,
      h("div.spring"),
      h("div.row.actions", null, button("big aside", t("do.cancel"), () => this.cancel(), { drawn: "close", data: { key: "cancel" } }), this.goButton(sum)),
    );
    const again = focused?.dataset.key ? this.side.querySelector(`[data-key="${focused.dataset.key}"]`) : null;
    again?.focus({ preventScroll: true });
  }

  sums(sum) {
    const { app } = this;
    const { t } = app;
    return h(
      "div.figures",
      { role: "status", "aria-live": "polite" },
      sum.discount_minor ? figure(t("sell.discount"), app.money(sum.discount_minor), { key: "discount" }) : null,
      sum.redeemed_minor ? figure(t("sell.pay_points"), app.money(sum.redeemed_minor), { key: "by-points" }) : null,
      figure(t("sell.pay"), app.money(sum.payable_minor), { key: "pay", kind: "can" }),
      figure(t("sell.earn"), app.points(sum.earned_points ?? 0), { key: "earn" }),
    );
  }

  goButton(sum) {
    const { t } = this.app;
    const spent = sum?.redeemed_points ?? 0;
    const text = !sum ? t("sell.enter") : spent ? t("sell.hold", { points: this.app.points(spent) }) : t("sell.do", { money: this.app.money(sum.payable_minor) });
    return button("primary big grow", text, (event) => this.go(event), { disabled: !sum || !this.fresh || Boolean(this.sending), drawn: "check", data: { key: "go" } });
  }

  choose(redeem) {
    this.put({ redeem });
    this.drawQuote();
    if (redeem === "some") this.points.focus();
    this.requote();
  }

  // The receipt as it was quoted: points are set aside first, money is taken then.
  async go(event) {
    event?.preventDefault();
    const sum = this.quote?.calculation;
    if (!sum || !this.fresh || this.sending) return;
    const spent = sum.redeemed_points ?? 0;
    const { proof = [], proof_above_points: free = 0 } = this.quote.redeemable ?? {};
    if (!spent) {
      this.commit(sum);
    } else if (proof.length && spent > free) {
      this.proof = new Proof(this.app, { member: this.r.member, ways: proof, free, onProof: (given) => this.hold(sum, given), onCancel: () => this.draw() });
      fill(this.node, this.proof.node);
      this.proof.field()?.focus();
    } else {
      await this.hold(sum, {});
    }
  }

  async hold(sum, proof) {
    const { app, r } = this;
    if (!this.fresh || this.sending) return null; // It was changed while the customer proved who they are.
    this.sending = true;
    this.node.inert = true;
    this.drawQuote();
    const points = sum.redeemed_points;
    const body = { sale_uid: r.uid, member: { reference: r.member.reference }, points, ttl_ms: HOLD_MS, language: app.language, ...proof };
    const found = await app.ask(() => app.till.hold(body), { quiet: true });
    this.sending = false;
    this.node.inert = false;
    if (this.r?.uid !== r.uid || this.r.phase !== "edit") {
      // Cancelled meanwhile, or another receipt's turn: nobody will use these points.
      if (found.ok) await app.kept.release(found.value.hold);
      return null;
    }
    if (!found.ok) {
      if (this.proof && /^(pin_wrong|proof_)/.test(found.problem.code)) return this.proof.refused(found.text);
      this.trouble = found.text;
      app.alerted.textContent = found.text;
      this.requote();
      return this.draw();
    }
    const { hold, expires_in_ms: left } = found.value;
    this.trouble = "";
    this.put({ phase: "held", hold, sum, until: Date.now() + left, body: null });
    this.draw();
    app.announce(this.app.t("sell.held", { points: app.points(points), money: app.money(sum.payable_minor) }));
    return null;
  }

  drawHeld() {
    const { app, r } = this;
    const { t } = app;
    const busy = r.phase === "sending";
    const { sum } = r;
    this.leftNode = h("span.number");
    this.tick();
    const commit = button("primary big grow", t("sell.do", { money: app.money(sum.payable_minor) }), settled(() => this.commit(sum)), { drawn: "check", disabled: busy, data: { key: "commit" } });
    const cancel = button("big aside", t("sell.cancel"), () => this.cancel(), { drawn: "close", disabled: busy, data: { key: "cancel" } });
    const told = { points: app.points(sum.redeemed_points ?? 0), money: app.money(sum.payable_minor) };
    return h(
      "section.card.stack.held",
      null,
      memberCard(app, r.member, { small: true }),
      this.sums(sum),
      sum.redeemed_points && !busy ? banner("info", t("sell.held", told), "", this.leftNode) : null,
      busy ? (this.lost ? app.again(t("sell.unsure"), () => this.send()) : banner("info", "", t("sell.busy"))) : null,
      h("div.spring"),
      h("div.row.actions", null, cancel, commit),
    );
  }

  tick() {
    const { r } = this;
    if (r?.phase !== "held" || !this.leftNode) return;
    const left = r.until - Date.now();
    if (left > 0) {
      this.leftNode.textContent = this.app.t("sell.held.left", { age: age(this.app.t, left) });
      return;
    }
    this.app.kept.release(r.hold); // Its end was measured by this computer's clock, which may be wrong.
    this.put({ phase: "edit", hold: "", sum: null });
    this.trouble = this.app.t("sell.expired");
    this.app.alerted.textContent = this.trouble;
    this.requote();
    this.draw();
  }

  // From here on the body never changes: whatever is sent under this uid is these bytes.
  commit(sum) {
    const { app, r } = this;
    const body = {
      receipt: this.receipt(),
      member: { reference: r.member.reference },
      redeem_points: sum.redeemed_points ?? 0,
      ...(r.hold ? { hold: r.hold } : {}),
      ...(sum.discounts?.length ? { discounts: sum.discounts } : {}),
      ...(r.number.trim() ? { number: r.number.trim() } : {}),
      language: app.language,
    };
    this.put({ phase: "sending", sum, body });
    this.send();
  }

  async send() {
    const { app, r } = this;
    if (this.sending) return;
    this.sending = true;
    this.lost = false;
    this.draw();
    const found = await app.ask(() => app.till.sell(r.uid, r.body), { quiet: true });
    this.sending = false;
    if (found.ok) {
      app.state.sold = { answer: found.value, sum: r.sum };
      app.kept.receipt = null;
      app.state.member = null;
      app.announce(app.t("sell.done"));
    } else if (unsure(found.problem)) {
      this.lost = true;
      app.alerted.textContent = app.t("sell.unsure");
    } else {
      // Refused for good: nothing was written, so it may be changed, and is another document then.
      if (r.hold) app.kept.release(r.hold);
      this.put({ uid: newUid("s"), phase: "edit", hold: "", sum: null, body: null });
      this.trouble = found.text;
      this.requote();
    }
    if (app.screen === this) this.draw();
  }

  next() {
    this.app.state.sold = null;
    this.app.kept.receipt = null;
    this.app.state.member = null;
    this.app.go("home");
  }

  async cancel() {
    const { app, r } = this;
    const { hold } = r;
    app.kept.receipt = null;
    app.state.member = null;
    app.go("home");
    if (hold) {
      await app.kept.release(hold);
      app.notice("info", app.t("sell.cancelled"));
    }
  }
}

