// The page as a whole: its bar, the banner of a silent agent, the cards; and what is told to which of them.

import { banner, chip, fill, h, icon, show } from "../common/dom.js";
import { time } from "../common/format.js";
import { languagePicker } from "../common/session.js";
import { Exchange, History, Machine, Spending, Verdict } from "./cards.js";
import { Devices } from "./devices.js";
import { supportText } from "./facts.js";
import { Flags } from "./flags.js";
import { Log } from "./log.js";
import { Operations } from "./operations.js";
import { Support } from "./support.js";

export class Screen {
  constructor({ words, facts, till, onLanguage, onNews }) {
    Object.assign(this, { words, facts, till, onNews });
    this.status = null;
    this.startedMs = 0;
    // When the agent answered last, by this browser's clock.
    this.heardMs = 0;
    this.isAway = false;
    const { t } = words;
    document.title = t("title");
    const with_ = { words, facts, till };
    this.verdict = new Verdict(with_);
    this.devices = new Devices(with_);
    this.exchange = new Exchange({ ...with_, syncNow: () => this.syncNow() });
    this.machine = new Machine(with_);
    this.spending = new Spending(with_);
    this.history = new History(with_);
    this.operations = new Operations(with_);
    this.flags = new Flags(with_);
    this.log = new Log(with_);
    this.support = new Support({ words, make: () => this.forSupport() });
    this.shown = [this.verdict, this.devices, this.exchange, this.machine, this.spending, this.history, this.operations];
    this.silence = h("div", { role: "alert" });
    this.stream = h("div");
    this.streaming(false);
    this.root = h("div.screen", null, this.bar(onLanguage), this.silence, this.main(), this.support.dialog);
    this.clockTimer = setInterval(() => this.tick(), 1000);
  }

  bar(onLanguage) {
    const { t } = this.words;
    const { till, store_name: store } = this.facts;
    const picker = languagePicker(this.words, onLanguage);
    picker.dataset.key = "language";
    return h(
      "header.bar",
      null,
      h("a.skip", { href: "#main", on: { click: (event) => this.skip(event) } }, t("skip")),
      h("img", { src: "../common/mark.svg", alt: "", width: 36, height: 36 }),
      h(
        "div.grow",
        null,
        h("h1", null, till || t("till.nameless")),
        h("p.small.soft", null, [t("title"), store].filter(Boolean).join(" \u00b7 ")),
      ),
      this.stream,
      picker,
      this.support.button,
    );
  }

  main() {
    return h(
      "main.page#main",
      { tabindex: -1 },
      this.verdict.root,
      h(
        "div.columns",
        null,
        h("div.column", null, this.devices.root, last(this.operations.root), last(this.log.root)),
        h(
          "div.column",
          null,
          this.exchange.root,
          this.machine.root,
          this.spending.root,
          this.flags.root,
          last(this.history.root),
        ),
      ),
    );
  }

  // Not by the address: what stands behind its `#` is a code, and nothing else.
  skip(event) {
    event.preventDefault();
    document.getElementById("main").focus();
  }

  took(status) {
    if (this.startedMs && status.started_ms !== this.startedMs) {
      this.log.restart();
    }
    this.startedMs = status.started_ms;
    this.status = status;
    this.heardMs = Date.now();
    this.isAway = false;
    for (const each of this.shown) {
      each.show(status);
    }
    this.flags.ask();
    this.tick();
  }

  away() {
    this.isAway = true;
    this.tick();
  }

  streaming(is) {
    const { t } = this.words;
    fill(this.stream, chip(is ? "good" : "", t(is ? "live" : "not_live"), is ? "check" : "refresh"));
  }

  scanned(scan) {
    this.devices.scanned(scan);
  }

  // What is seen while the agent is silent is old, and says so.
  tick() {
    const { words } = this;
    const { t } = words;
    const view = this.isAway && {
      at: this.heardMs ? time(this.heardMs, this.facts.time_zone, { seconds: true }) : "",
      ago: words.ago(Date.now() - this.heardMs),
    };
    this.root?.classList.toggle("stale", this.isAway);
    show(this.silence, view, () => {
      if (!view) {
        return null;
      }
      const text = view.at ? t("away.shown", view) : "";
      const shown = banner("error", t("away.title"), [t("away.text"), text].join(" "));
      shown.classList.add("wide");
      return shown;
    });
  }

  async syncNow() {
    const { exchange } = this;
    const { t } = this.words;
    exchange.button.disabled = true;
    fill(exchange.said, t("sync.going"));
    try {
      const sync = await this.till.syncNow({ patienceMs: 0 });
      fill(exchange.said, t(sync.online && !sync.last_error ? (sync.waiting ? "sync.goes_on" : "sync.done") : "sync.failed"));
    } catch (problem) {
      fill(exchange.said, problem.cashier || t("failed"));
    }
    exchange.button.disabled = false;
    exchange.button.focus();
    this.onNews();
  }

  async forSupport() {
    if (this.status === null) {
      return this.words.t("away.title");
    }
    let ops = [];
    try {
      ops = await this.operations.troubled();
    } catch {
      // The agent is silent: the rest still helps.
    }
    return supportText(this.status, ops, `${navigator.userAgent.slice(0, 200)} ${innerWidth}x${innerHeight}`);
  }

  close() {
    clearInterval(this.clockTimer);
    this.devices.close();
  }
}

// What is looked at after all else stands behind it where there is one column.
function last(root) {
  root.classList.add("last");
  return root;
}
