// The last receipts of this till, and one of them in full: how it stands, a copy of its slip, a return, a void.

import { banner, chip, fill, h, icon } from "/common/dom.js";
import { unsure } from "./kept.js";
import { localMoment } from "./member.js";
import { ask, button, facts, walkable } from "./parts.js";
import { Returning } from "./returning.js";

const PAGE_SIZE = 20;
const STATES = { committed: "", voided: "error", returned: "warning", returned_in_part: "warning" };
const SYNCS = { waiting: "info", applied: "good", adjusted: "warning", rejected: "error" };
const SLIPS = { none: "", queued: "info", printing: "info", printed: "good", accepted: "good", refused: "error", unknown: "warning" };
const SLIP_LOOKS_MS = [700, 2000, 5000]; // A slip takes a second or two to come out.

export class Receipts {
  constructor(app) {
    this.app = app;
    app.state.receipts ??= { chosen: "", rows: null, before: 0 };
    this.list = h("section.card.stack.receipt-list");
    this.detail = h("section.card.stack.receipt");
    this.node = h("div.receipts");
    this.timers = [];
    this.draw();
    this.load();
    if (this.s.chosen) this.open(this.s.chosen);
    if (app.kept.giving) this.resume();
  }

  get s() {
    return this.app.state.receipts;
  }

  field() {
    return this.returning ? this.returning.field() : null;
  }

  leave() {
    this.timers.forEach(clearTimeout);
    this.left = true;
  }

  escape() {
    if (this.returning) this.endReturn();
    else this.app.go("home");
  }

  holdsMember() {
    return Boolean(this.returning);
  }

  // A return that was under way when the page was loaded anew: the same again finds out what became of it.
  async resume() {
    const kept = this.app.kept.giving;
    if (!kept?.sent || this.returning) return;
    const view = await this.app.ask(() => this.app.till.sale(kept.sale_uid), { quiet: true });
    if (view.ok && !this.left && this.app.kept.giving) {
      await this.startReturn(kept.sale_uid, view.value);
      this.returning?.send();
    }
  }

  draw() {
    fill(this.node, this.returning ? this.returning.node : [this.list, this.detail]);
    this.drawList();
    this.drawDetail();
  }

  async load(before = 0) {
    const found = await this.app.ask(() => this.app.till.sales({ limit: PAGE_SIZE, ...(before ? { before } : {}) }), { quiet: true });
    if (this.left) return;
    this.problem = found.ok ? "" : found.text;
    if (found.ok) {
      const rows = before ? [...this.s.rows, ...found.value.sales] : found.value.sales;
      Object.assign(this.s, { rows, before: found.value.before });
    }
    this.drawList();
  }

  drawList() {
    const { t } = this.app;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    const { rows, before, chosen } = this.s;
    const refresh = button("quiet", "", () => this.load(), { drawn: "refresh", "aria-label": t("receipts.refresh"), data: { key: "refresh" } });
    const head = h("div.row", null, h("h1.grow", null, t("receipts.title")), refresh);
    const items = (rows ?? []).map((row) => h("li", null, this.rowButton(row, row.uid === chosen)));
    const more = before ? h("li", null, button("quiet", t("receipts.more"), () => this.load(before), { data: { key: "more" } })) : null;
    const empty = rows && !rows.length ? h("p.soft", null, t("receipts.none")) : null;
    const wrong = this.problem ? this.app.again(this.problem, () => this.load()) : null;
    const top = this.list.querySelector(".scrolls")?.scrollTop ?? 0;
    fill(this.list, head, wrong, empty, walkable(h("ul.receipt-rows.scrolls", { data: { scrolls: "" } }, items, more)));
    this.list.querySelector(".scrolls").scrollTop = top;
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  rowButton(row, chosen) {
    const { t } = this.app;
    const who = row.member ? row.name_masked || row.phone_masked || row.card_masked || t("member.nameless") : t("receipts.nobody");
    const moved = [row.redeemed_points ? `−${this.app.points(row.redeemed_points)}` : "", row.earned_points ? `+${this.app.points(row.earned_points)}` : ""];
    return h(
      "button.button.receipt-row",
      { type: "button", "aria-pressed": String(chosen), data: { key: `sale-${row.uid}`, uid: row.uid }, on: { click: () => this.open(row.uid) } },
      h("span.receipt-when.number", null, localMoment(this.app, row.local_time), row.number ? h("span.soft", null, ` № ${row.number}`) : null),
      h("span.receipt-total.number", null, this.app.money(row.total_minor - row.discount_minor)),
      h("span.receipt-who", null, who),
      h("span.receipt-points.number", null, moved.filter(Boolean).join("  ")),
      row.state === "committed" ? null : h("span.receipt-state", null, chip(STATES[row.state], t(`sale.${row.state}`), "returned")),
      row.sync === "applied" ? null : h("span.receipt-state", null, chip(SYNCS[row.sync], t(`sync.${row.sync}`), row.sync === "waiting" ? "clock" : undefined)),
    );
  }

  async open(uid) {
    this.s.chosen = uid;
    this.timers.forEach(clearTimeout);
    this.drawList();
    const [view, lines] = await Promise.all([
      this.app.ask(() => this.app.till.sale(uid), { quiet: true }),
      this.app.ask(() => this.app.till.saleLines(uid), { quiet: true }),
    ]);
    if (this.left || this.s.chosen !== uid) return;
    this.view = view.ok ? view.value : null;
    this.lines = lines.ok ? lines.value.lines : [];
    this.detailProblem = view.ok && lines.ok ? "" : (view.text ?? lines.text);
    this.drawDetail();
  }

  drawDetail() {
    const { t } = this.app;
    if (this.detailProblem) {
      fill(this.detail, this.app.again(this.detailProblem, () => this.open(this.s.chosen)));
      return;
    }
    if (!this.view) {
      fill(this.detail, h("div.waiting.stack", null, h("div.waiting-icon", { "aria-hidden": "true" }, icon("list")), h("p.soft", null, t("receipt.choose"))));
      return;
    }
    const { sale, state, sync, slip } = this.view;
    const sum = sale.calculation;
    const row = this.rowOf(sale.uid);
    const title = row?.number || (row ? localMoment(this.app, row.local_time) : sale.uid);
    const focused = this.detail.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    fill(
      this.detail,
      h("h2", null, t("receipt.title", { number: title })),
      h("div.row", null, chip(STATES[state] || "good", t(`sale.${state}`)), chip(SYNCS[sync], t(`sync.${sync}`), sync === "waiting" ? "clock" : undefined), chip(SLIPS[slip.state], t(`slip.${slip.state}`), "printer")),
      h(
        "div.stack.scrolls.grow",
        { data: { scrolls: "" }, tabindex: 0, role: "group", "aria-label": t("receipt.goods") },
        facts([
          [t("receipts.who"), row?.member ? row.name_masked || row.phone_masked || row.card_masked || t("member.nameless") : t("receipts.nobody")],
          [t("receipt.total"), this.app.money(sum.total_minor), "total"],
          [t("receipt.discount"), sum.discount_minor ? this.app.money(sum.discount_minor) : ""],
          [t("receipt.points_paid"), sum.redeemed_minor ? this.app.money(sum.redeemed_minor) : "", "redeemed"],
          [t("receipt.paid"), this.app.money(sum.payable_minor), "paid"],
          [t("receipt.earned"), sum.earned_points ? this.app.points(sum.earned_points) : "", "earned"],
        ]),
        h("h3", null, t("receipt.goods")),
        h("ul.lines", null, this.lines.map((line) => this.lineRow(line))),
      ),
      this.detailActions(state),
    );
    if (focused) this.detail.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  rowOf(uid) {
    return this.s.rows?.find((each) => each.uid === uid);
  }

  lineRow(line) {
    const { t } = this.app;
    const gone = line.left_minor === 0 && line.left_thousandths === 0 && (line.amount_minor || line.quantity_thousandths);
    const part = !gone && line.left_minor !== line.amount_minor;
    const note = this.view.state === "voided" ? "" : gone ? t("receipt.gone") : part ? t("receipt.left", { left: this.app.money(line.left_minor) }) : "";
    return h(
      "li.line",
      null,
      h("span.grow", null, line.name || t("receipt.line", { number: line.number }), note ? h("span.soft.small", null, ` · ${note}`) : null),
      h("span.soft.number", null, `× ${this.app.quantity(line.quantity_thousandths)}`),
      h("span.number.line-sum", null, this.app.money(line.amount_minor)),
    );
  }

  detailActions(state) {
    const { t } = this.app;
    const open = state === "committed" || state === "returned_in_part";
    return h(
      "div.row.actions",
      null,
      button("big grow", t("receipt.reprint"), (event) => event.detail > 1 || this.reprint(), { drawn: "printer", data: { key: "reprint" } }),
      open ? button("big grow", t("receipt.return"), () => this.startReturn(this.s.chosen, this.view), { drawn: "returned", data: { key: "return" } }) : null,
      state === "committed" ? button("danger big grow", t("receipt.void"), () => this.void(), { drawn: "trash", data: { key: "void" } }) : null,
    );
  }

  async reprint() {
    const uid = this.s.chosen;
    const found = await this.app.ask(() => this.app.till.print(uid, { language: this.app.language }));
    if (!found.ok) return this.app.notice("warning", found.text);
    this.app.notice("good", this.app.t("receipt.reprinted"));
    this.watchSlip(uid);
  }

  // How the slip fares, for as long as a slip takes.
  watchSlip(uid) {
    this.timers.forEach(clearTimeout);
    this.timers = SLIP_LOOKS_MS.map((ms) =>
      setTimeout(async () => {
        const found = await this.app.ask(() => this.app.till.sale(uid), { quiet: true });
        if (!found.ok || this.left || this.s.chosen !== uid || this.returning) return;
        this.view = found.value;
        this.drawDetail();
      }, ms),
    );
  }

  async void() {
    const { t } = this.app;
    const { sale } = this.view;
    const sum = sale.calculation;
    const number = this.rowOf(sale.uid)?.number || this.app.money(sum.total_minor - (sum.discount_minor ?? 0));
    const sure = await ask({ title: t("void.title", { number }), text: t("void.more"), yes: t("void.do"), no: t("do.no"), danger: true });
    if (!sure) return;
    const found = await this.app.ask(() => this.app.till.void(sale.uid, { language: this.app.language }), { quiet: true });
    if (!found.ok) {
      const text = found.problem.lost ? t("problem.unsure") : found.text;
      this.app.alerted.textContent = text;
      return this.app.notice("warning", text);
    }
    this.finished(t("void.done", { money: this.app.money(found.value.reversal.money_back_minor) }), found.value);
  }

  async startReturn(uid, view) {
    if (!(await this.settled(uid))) return;
    const lines = await this.app.ask(() => this.app.till.saleLines(uid), { quiet: true });
    if (!lines.ok) return this.app.notice("warning", lines.text);
    this.s.chosen = uid;
    this.returning = new Returning(this.app, { uid, view, lines: lines.value.lines, row: this.rowOf(uid), onEnd: (answer) => this.endReturn(answer) });
    fill(this.node, this.returning.node);
    this.returning.field()?.focus();
  }

  // Another receipt's return that was never answered comes first: nobody knows yet whether it was done.
  async settled(uid) {
    const { kept, till, language } = this.app;
    if (!kept.giving?.sent || kept.giving.sale_uid === uid) return true;
    const { uid: before, body } = kept.giving;
    const found = await this.app.ask(() => till.return(before, body, { language }), { quiet: true });
    if (!found.ok && unsure(found.problem)) {
      this.app.notice("warning", this.app.t("problem.unreachable"));
      return false;
    }
    kept.giving = null;
    return true;
  }

  endReturn(answer = null) {
    this.returning = null;
    fill(this.node, this.list, this.detail);
    if (answer) this.finished(this.app.t("return.done", { money: this.app.money(answer.reversal.money_back_minor) }), answer);
    else this.detail.querySelector("button")?.focus();
  }

  // What a return or void came to stays on the screen, not in a message that goes away: money is handed over by it.
  finished(text, answer) {
    const more = answer.messages.map((each) => h("div", null, each.text));
    const done = button("primary", this.app.t("do.done"), () => said.remove(), { data: { key: "done" } });
    const said = banner("good", text, "", more);
    said.append(done);
    this.node.querySelector(".finished")?.remove();
    said.classList.add("finished");
    this.node.prepend(said);
    done.focus();
    this.app.announce(text);
    this.load();
    this.open(this.s.chosen);
    this.watchSlip(this.s.chosen);
  }
}
