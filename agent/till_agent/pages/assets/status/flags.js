// Signs of staff fraud in the till's own journal, where this agent looks for them: how many there are, and what kinds.

import { Problem } from "../client/tillside.js";
import { chip, h, show } from "../common/dom.js";
import { whole } from "../common/format.js";
import { card } from "./cards.js";

const ASK_MS = 60_000;

export class Flags {
  constructor({ words, till }) {
    this.words = words;
    this.till = till;
    this.askedMs = 0;
    const made = card(words.t("flags.title"));
    this.root = made.root;
    this.body = made.body;
    this.root.hidden = true;
  }

  // Asks now and then: looking through a journal costs the till more than a glance.
  async ask() {
    if (typeof this.till.flags !== "function" || Date.now() - this.askedMs < ASK_MS) {
      return;
    }
    this.askedMs = Date.now();
    try {
      this.took(await this.till.flags({ patienceMs: 0 }));
    } catch (problem) {
      if (!(problem instanceof Problem)) {
        throw problem;
      }
      this.root.hidden = true;
    }
  }

  took({ flags }) {
    const { t, language } = this.words;
    const counts = new Map();
    for (const { code } of flags) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    this.root.hidden = false;
    const view = { count: flags.length, rows: [...counts].sort() };
    show(this.body, view, () => [
      chip(view.count ? "warning" : "good", t("flags.count", { count: view.count, shown: whole(view.count, language) })),
      h("ul", null, view.rows.map(([code, count]) => h("li.row", null, h("span.mono.grow", null, code), whole(count, language)))),
      view.count ? h("p.small.soft", null, t("flags.why")) : null,
    ]);
  }
}
