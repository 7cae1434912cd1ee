// The end of the agent's log, as it grows: cleaned by the agent of whatever could name a member. It can be narrowed, and
// held still to be read.

import { fill, h, icon } from "../common/dom.js";
import { time } from "../common/format.js";
import { card } from "./cards.js";

const KEPT = 1000;
const SHOWN = 300;
const ASKED = 200;
const RANKS = { debug: 0, info: 1, warning: 2, error: 3 };
const CHOICES = ["debug", "info", "warning", "error"];
// How near its end the list has to be for it to follow what is added.
const NEAR_PX = 40;

export class Log {
  constructor({ words, facts, till }) {
    this.words = words;
    this.zone = facts.time_zone;
    this.till = till;
    this.after = null;
    this.lines = [];
    this.least = "info";
    this.paused = false;
    this.missed = 0;
    const { t } = words;
    this.level = h(
      "select.select",
      { id: "log-level", on: { change: () => this.narrow(this.level.value) } },
      CHOICES.map((each) => h("option", { value: each, selected: each === this.least }, t(`log.from.${each}`))),
    );
    this.button = h("button.button", { type: "button", "aria-pressed": "false", on: { click: () => this.pause(!this.paused) } });
    this.list = h("ol.log", { tabindex: 0, "data-scrolls": "", "aria-label": t("log.title") });
    this.note = h("p.small.soft", { role: "status" });
    const made = card(
      t("log.title"),
      h("label.unseen", { for: "log-level" }, t("log.level")),
      this.level,
      this.button,
    );
    this.root = made.root;
    made.body.append(this.list, this.note);
    this.label();
    this.tell();
  }

  async ask() {
    return this.till.logs({ after: this.after ?? undefined, limit: ASKED, patienceMs: 0 });
  }

  took(tail) {
    if (tail.lines.length === 0) {
      return;
    }
    const last = tail.lines[tail.lines.length - 1].seq;
    if (this.after !== null && last < this.after) {
      // The agent was started anew and counts from the beginning.
      this.lines = [];
    }
    this.after = last;
    this.lines = [...this.lines, ...tail.lines].slice(-KEPT);
    if (this.paused) {
      this.missed += tail.lines.filter((line) => this.fits(line)).length;
      this.tell();
      return;
    }
    this.draw();
  }

  // The agent may have been started anew, with a log that begins anew.
  restart() {
    this.after = null;
    this.lines = [];
  }

  narrow(least) {
    this.least = least;
    this.draw();
  }

  pause(is) {
    this.paused = is;
    this.missed = 0;
    this.button.setAttribute("aria-pressed", String(is));
    this.label();
    this.tell();
    if (!is) {
      this.draw();
      this.list.scrollTop = this.list.scrollHeight;
    }
  }

  fits(line) {
    return (RANKS[line.level] ?? RANKS.info) >= RANKS[this.least];
  }

  label() {
    const { t } = this.words;
    fill(this.button, icon(this.paused ? "play" : "pause"), t(this.paused ? "log.go_on" : "log.pause"));
  }

  tell() {
    const { t } = this.words;
    fill(this.note, this.paused ? t("log.paused", { count: this.missed }) : t("log.clean"));
  }

  draw() {
    const { t } = this.words;
    const follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < NEAR_PX;
    const lines = this.lines.filter((line) => this.fits(line)).slice(-SHOWN);
    fill(
      this.list,
      lines.length ? lines.map((line) => this.row(line)) : h("li.soft", null, t("log.none")),
    );
    if (follows) {
      this.list.scrollTop = this.list.scrollHeight;
    }
  }

  row(line) {
    const fields = Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${value}`);
    return h(
      "li",
      { class: `at-${line.level}` },
      h("span.soft", null, time(line.at_ms, this.zone, { seconds: true })),
      " ",
      h("b", null, line.level.toUpperCase()),
      " ",
      line.message,
      fields.length ? h("span.soft", null, ` ${fields.join(" ")}`) : null,
      h("span.soft", null, ` [${line.logger}]`),
    );
  }
}
