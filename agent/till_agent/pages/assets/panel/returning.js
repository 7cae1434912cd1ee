// Goods of one receipt brought back: which and how many, and to the last cent what the customer gets, before it is done.

import { banner, fill, h } from "/common/dom.js";
import { preview } from "./giving.js";
import { unsure } from "./kept.js";
import { localMoment } from "./member.js";
import { button, figure, newUid } from "./parts.js";

const THOUSAND = 1000;

export class Returning {
  constructor(app, { uid, view, lines, row, onEnd }) {
    this.app = app;
    this.uid = uid;
    this.view = view;
    this.onEnd = onEnd;
    this.title = row?.number || (row ? localMoment(this.app, row.local_time) : uid);
    this.lines = lines.filter((line) => line.left_thousandths > 0 || line.left_minor > 0);
    const kept = app.kept.giving;
    const mine = kept?.sale_uid === uid ? kept : null;
    this.wishes = mine ? { ...mine.wishes } : Object.fromEntries(this.lines.map((line) => [line.number, line.left_thousandths]));
    // Sent before, and never answered: until that is known nothing of it may change.
    this.lost = Boolean(mine?.sent);
    this.trouble = this.lost ? app.t("problem.unsure") : "";
    this.node = h("section.card.stack.returning");
    this.draw();
  }

  field() {
    return this.node.querySelector("[data-key=do-return]");
  }

  get all() {
    return this.lines.every((line) => this.wishes[line.number] === line.left_thousandths);
  }

  get sum() {
    // Everything left also takes what has an amount and no quantity.
    return preview(this.view.sale.calculation, this.view.returned, this.all ? null : this.wishes);
  }

  set(number, thousandths) {
    this.wishes[number] = thousandths;
    this.trouble = "";
    this.draw();
  }

  setAll(on) {
    for (const line of this.lines) this.wishes[line.number] = on ? line.left_thousandths : 0;
    this.trouble = "";
    this.draw();
  }

  draw() {
    const { t } = this.app;
    const focused = this.node.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    const top = this.node.querySelector(".scrolls")?.scrollTop ?? 0;
    const { sum } = this;
    const some = sum.rows.length > 0;
    const money = this.app.money(sum.money_back_minor);
    fill(
      this.node,
      h(
        "div.row",
        null,
        h("h1.grow", null, t("return.title", { number: this.title })),
        button("", t("return.all"), () => this.setAll(true), { disabled: Boolean(this.lost), data: { key: "all" } }),
        button("", t("return.nothing"), () => this.setAll(false), { disabled: Boolean(this.lost), data: { key: "nothing" } }),
      ),
      h("p.soft", null, t("return.how")),
      h("ul.lines.scrolls.grow", { data: { scrolls: "" } }, this.lines.map((line) => this.lineRow(line, sum))),
      h(
        "div.figures",
        { role: "status", "aria-live": "polite" },
        figure(t("return.goods"), this.app.money(sum.amount_minor), { key: "goods" }),
        figure(t("return.money"), money, { key: "money", kind: "can" }),
        sum.points_back ? figure(t("return.points_back"), this.app.points(sum.points_back), { key: "points-back" }) : null,
        sum.points_taken ? figure(t("return.points_taken"), this.app.points(sum.points_taken), { key: "points-taken" }) : null,
      ),
      this.trouble ? (this.lost ? this.app.again(this.trouble, () => this.send()) : banner("warning", "", this.trouble)) : null,
      h(
        "div.row.actions",
        null,
        button("big grow", t("do.back"), () => this.onEnd(), { drawn: "back", data: { key: "back" } }),
        button("primary big grow", some ? t("return.do", { money }) : t("return.choose"), () => this.send(), { drawn: "returned", disabled: !some || Boolean(this.sending || this.lost), data: { key: "do-return" } }),
      ),
    );
    this.node.querySelector(".scrolls").scrollTop = top;
    if (focused) this.node.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  lineRow(line, sum) {
    const { t } = this.app;
    const wish = this.wishes[line.number];
    const name = line.name || t("receipt.line", { number: line.number });
    const amount = sum.rows.find((row) => row.number === line.number)?.amount_minor ?? 0;
    const toggle = (event) => this.set(line.number, event.target.checked ? line.left_thousandths : 0);
    const whole = line.left_thousandths % THOUSAND === 0 && line.left_thousandths > THOUSAND;
    const stepped = (by) => this.set(line.number, Math.min(line.left_thousandths, Math.max(0, wish + by * THOUSAND)));
    return h(
      "li.line.return-line",
      null,
      h(
        "label.check.grow",
        null,
        h("input", { type: "checkbox", checked: wish > 0, disabled: Boolean(this.lost), data: { key: `take-${line.number}` }, on: { change: toggle } }),
        h("span", null, name),
      ),
      whole ? button("", "−", () => stepped(-1), { "aria-label": t("return.less", { name }), disabled: Boolean(this.lost) || wish <= 0, data: { key: `less-${line.number}` } }) : null,
      h("span.number.wish", { data: { wish: line.number } }, `${this.app.quantity(wish)} / ${this.app.quantity(line.left_thousandths)}`),
      whole ? button("", "+", () => stepped(1), { "aria-label": t("return.more", { name }), disabled: Boolean(this.lost) || wish >= line.left_thousandths, data: { key: `more-${line.number}` } }) : null,
      h("span.number.line-sum", null, this.app.money(amount)),
    );
  }

  body() {
    if (this.all) return { sale_uid: this.uid };
    const wanted = this.lines.filter((line) => this.wishes[line.number] > 0);
    return { sale_uid: this.uid, lines: wanted.map(({ number }) => ({ number, quantity_thousandths: this.wishes[number] })) };
  }

  // Kept until it is answered, with its uid: sent again after a reload it is the same return.
  async send() {
    const { app } = this;
    if (this.sending) return;
    const giving = this.lost ? app.kept.giving : { uid: newUid("r"), sale_uid: this.uid, wishes: this.wishes, body: this.body() };
    if (!giving) return; // Another look at it found out already.
    app.kept.giving = { ...giving, sent: true };
    this.sending = true;
    this.draw();
    const found = await app.ask(() => app.till.return(giving.uid, giving.body, { language: app.language }), { quiet: true });
    this.sending = false;
    if (found.ok) {
      app.kept.giving = null;
      return this.onEnd(found.value);
    }
    this.lost = this.lost ? unsure(found.problem) : Boolean(found.problem.lost);
    this.trouble = this.lost ? app.t("problem.unsure") : found.text;
    if (!this.lost) app.kept.giving = null;
    app.alerted.textContent = this.trouble;
    return this.draw();
  }
}
