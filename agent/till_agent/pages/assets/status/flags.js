// What in cashiers' receipts a person should look at, by the till's own journal: how much there is, and of what kinds.

import { Problem } from "../client/tillside.js";
import { chip, h, show } from "../common/dom.js";
import { whole } from "../common/format.js";
import { card, factsList } from "./cards.js";

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
    if (Date.now() - this.askedMs < ASK_MS) {
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

  // Kinds and their counts alone: who and whose card it was is for a person with the right to see it, not for a screen.
  took({ flags, count, days }) {
    const { t, any, language } = this.words;
    const counts = new Map();
    for (const code of flags.flatMap((flag) => flag.signals.map((signal) => signal.code))) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    this.root.hidden = false;
    show(this.body, { count, days, rows: [...counts].sort() }, ({ rows }) => [
      h("div.row", null, chip(count ? "warning" : "good", t("flags.count", { count, shown: whole(count, language) }))),
      rows.length ? factsList(rows.map(([code, each]) => [any([`flags.${code}`, "unknown"]), whole(each, language)])) : null,
      h("p.small.soft", null, [t("flags.days", { count: days }), count ? t("flags.why") : ""].filter(Boolean).join(". ")),
    ]);
  }
}
