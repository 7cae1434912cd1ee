// The till's operations and what the cloud said to them: those that it refused, those that wait, the newest of all.

import { chip, fill, h, show } from "../common/dom.js";
import { moment, whole } from "../common/format.js";
import { card } from "./cards.js";
import { opLevel } from "./facts.js";

const SHOWN = 50;
const KINDS = ["rejected", "adjusted", "waiting", "newest"];

export class Operations {
  constructor({ words, facts, till }) {
    this.words = words;
    this.zone = facts.time_zone;
    this.till = till;
    this.which = "rejected";
    this.nowMs = 0;
    this.shown = { ops: [], waiting: 0 };
    // Called when somebody wants to see others than those that were asked for.
    this.onWish = () => {};
    const { t } = words;
    this.tabs = KINDS.map((which) =>
      h(
        "button.button.tab",
        { type: "button", "aria-pressed": String(which === this.which), data: { which }, on: { click: () => this.pick(which) } },
        t(`ops.${which}`),
      ),
    );
    const made = card(t("ops.title"));
    this.root = made.root;
    this.counts = h("div.row");
    this.list = h("div", { "data-scrolls": "", tabindex: 0, class: "scrolls", role: "region", "aria-label": t("ops.title") });
    made.body.append(this.counts, h("div.tabs", { role: "group", "aria-label": t("ops.which") }, this.tabs), this.list);
  }

  pick(which) {
    this.which = which;
    for (const tab of this.tabs) {
      tab.setAttribute("aria-pressed", String(tab.dataset.which === which));
    }
    this.onWish();
  }

  async ask() {
    const { which } = this;
    return { which, ...(await this.till.queue({ which, limit: SHOWN, patienceMs: 0 })) };
  }

  // What the cloud refused, for the text that is copied for support.
  async troubled() {
    return (await this.till.queue({ which: "rejected", limit: SHOWN, patienceMs: 0 })).ops;
  }

  show(status) {
    const { t, language } = this.words;
    this.nowMs = status.now_ms;
    const { rejected, adjusted, acked_seq, last_seq } = status.sync;
    const view = [
      [rejected ? "error" : "good", t("ops.count.rejected", { count: rejected, shown: whole(rejected, language) })],
      [adjusted ? "info" : "", t("ops.count.adjusted", { count: adjusted, shown: whole(adjusted, language) })],
      ["", t("ops.count.acked", { acked: whole(acked_seq, language), last: whole(last_seq, language) })],
    ];
    show(this.counts, view, () => view.map(([level, text]) => chip(level, text)));
  }

  took(answer) {
    if (answer.which !== this.which) {
      return;
    }
    const { words } = this;
    const { t } = words;
    const view = answer.ops.map((op) => ({
      op: op.op,
      level: opLevel(op),
      at: moment(op.at_wall_ms, this.nowMs || Date.now(), this.zone, { seconds: true }),
      kind: words.any([`op.${op.kind}`, "op.other"]),
      status: words.any([`op.status.${op.status}`, "op.status.other"]),
      uid: op.uid,
      code: op.code,
      // One thing to do about each that was refused.
      fix: op.status === "rejected" ? words.any([`op.do.${op.code.replace(/^[a-z]+_repeated$/, "repeated")}`, "op.do.other"]) : "",
    }));
    show(this.list, { which: answer.which, view, language: words.language }, () =>
      view.length ? this.table(view) : h("p.soft", null, t(`ops.none.${answer.which}`)),
    );
  }

  // There is no journal to list: the till is not enrolled, or its disk gives nothing.
  refused(problem) {
    const text = problem.cashier || this.words.t("failed");
    show(this.list, text, () => h("p.soft", null, text));
  }

  table(view) {
    const { t } = this.words;
    const names = ["ops.at", "ops.kind", "ops.uid", "ops.status"].map((each) => t(each));
    const cells = (op) => [
      h("span.number", null, op.at),
      op.kind,
      [h("div.mono", null, op.uid || op.op), op.uid ? h("div.small.soft.mono", null, op.op) : null],
      [chip(op.level, op.status), op.code ? h("div.small.mono", null, op.code) : null, op.fix ? h("div.small", null, op.fix) : null],
    ];
    return h(
      "table.table.ops",
      null,
      h("caption.unseen", null, t("ops.title")),
      h("thead", null, h("tr", null, names.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        null,
        view.map((op) => h("tr", null, cells(op).map((cell, at) => h("td", { data: { name: names[at] } }, h("div", null, cell))))),
      ),
    );
  }
}
