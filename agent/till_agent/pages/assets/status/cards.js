// The cards of the page that only show: how it all stands, the exchange, the till itself, spending without a line, and what
// happened. Each has `root` and `show(status)`; the texts are worked out first, so that only what changed is drawn anew.

import { banner, chip, h, icon, prose, show } from "../common/dom.js";
import { bytes, dayAndTime, moment, points, whole } from "../common/format.js";
import { cache, clock, disk, floor, line, loadedPercent, verdict } from "./facts.js";

// What is longer ago is told by the clock.
const AGO_MS = 3_600_000;

export function card(title, ...more) {
  const body = h("div.stack");
  const root = h("section.card.stack", null, h("div.row.head", null, h("h2.grow", null, title), more), body);
  return { root, body };
}

export class Verdict {
  constructor({ words }) {
    this.words = words;
    this.root = h("section.verdict", { role: "status" });
  }

  show(status) {
    const { t } = this.words;
    const { level, count } = verdict(status);
    const view = { level, count, problems: status.problems.map(({ level: grave, text }) => ({ grave, text })) };
    show(this.root, view, () => {
      const list = view.problems.map(({ grave, text }) =>
        h("li.row.problem", null, chip(grave, t(`level.${grave}`)), h("span.grow", null, prose(text))),
      );
      const text = count ? t("verdict.problems", { count }) : t("verdict.none");
      return banner(level, t(`verdict.${level}`), text, count ? h("ul.stack.problems", null, list) : null);
    });
  }
}

export class Exchange {
  constructor({ words, facts, syncNow }) {
    this.words = words;
    this.zone = facts.time_zone;
    this.button = h("button.button", { type: "button", on: { click: syncNow } }, icon("refresh"), words.t("sync.now"));
    this.line = h("span");
    const made = card(words.t("sync.title"), this.line);
    this.root = made.root;
    this.said = h("p.small", { role: "status" });
    this.facts = h("div.stack");
    made.body.append(this.facts, h("div.row", null, this.button, h("div.grow", null, this.said)));
  }

  show(status) {
    const { words } = this;
    const { t, language } = words;
    const { sync } = status;
    const { key, level } = line(sync);
    const rows = [
      [t("sync.oldest"), sync.oldest_waiting_ms ? words.span(sync.oldest_waiting_ms) : t("none")],
      [t("sync.last_push"), this.at(sync.last_push_ms, status.now_ms)],
      [t("sync.last_pull"), this.at(sync.last_pull_ms, status.now_ms)],
    ];
    if (!sync.online && sync.retry_in_ms) {
      rows.push([t("sync.retry"), words.span(sync.retry_in_ms)]);
    }
    const view = { key, level, rows, percent: loadedPercent(sync), loading: sync.loading };
    view.waiting = whole(sync.waiting, language);
    view.count = sync.waiting;
    view.error = sync.online ? "" : sync.last_error;
    show(this.line, view, () => chip(level, t(`line.${key}`), sync.online ? "cloud" : "cloud-off"));
    show(this.facts, view, () => [
      h("p.figure", null, h("strong.number", null, view.waiting), ` ${t("sync.waiting", { count: view.count })}`),
      factsList(rows),
      view.error ? h("p.small.soft.mono", null, view.error) : null,
      view.loading ? progress(t("sync.loading"), view.percent) : null,
    ]);
  }

  at(ms, nowMs) {
    if (!ms) {
      // The agent does not keep it: what was sent before it was started may be all there is.
      return this.words.t("never.since_start");
    }
    return nowMs - ms < AGO_MS ? this.words.ago(nowMs - ms) : moment(ms, nowMs, this.zone);
  }
}

export class Machine {
  constructor({ words, facts }) {
    this.words = words;
    this.zone = facts.time_zone;
    const made = card(words.t("till.title"));
    this.root = made.root;
    this.body = made.body;
  }

  show(status) {
    const { words } = this;
    const { t, language } = words;
    const aged = cache(status);
    const ticks = clock(status);
    const room = disk(status);
    const free = room && t("disk.free", { free: bytes(status.disk_free_bytes, language), of: bytes(status.disk_total_bytes, language) });
    const rows = [
      [t("programme"), status.programme || t("programme.none"), status.programme ? "" : "warning"],
      [t("members"), whole(status.members_cached, language), ""],
      [t("balances"), aged ? t("balances.as_of", { ago: words.ago(aged.ageMs) }) : t("never"), aged?.level ?? "warning"],
      [t("clock"), t(`clock.${ticks.key}`, { span: words.span(ticks.ms) }), ticks.level],
      [t("prints"), whole(status.prints_waiting, language), ""],
      [t("started"), dayAndTime(status.started_ms, this.zone), ""],
      [t("version"), status.version, ""],
    ];
    const view = { rows, room, free };
    show(this.body, view, () => [
      factsList(rows),
      room ? meter(t("disk"), free, room.usedPercent, room.level) : factsList([[t("disk"), t("unknown")]]),
    ]);
  }
}

export class Spending {
  constructor({ words, facts }) {
    this.words = words;
    this.exponent = facts.points_exponent;
    const made = card(words.t("spending.title"));
    this.root = made.root;
    this.body = made.body;
  }

  show(status) {
    const { t, language } = this.words;
    const limit = floor(status);
    this.root.hidden = !limit && !status.grants;
    const told = (amount) => points(amount, this.exponent, language);
    const rows = [[t("spending.grants"), whole(status.grants, language)], [t("spending.granted"), told(status.granted_points)]];
    const spent = limit && t("spending.of", { spent: told(status.floor_spent_points), most: told(status.floor_limit_points) });
    show(this.body, { rows, limit, spent }, () => [
      factsList(rows),
      limit ? meter(t("spending.floor"), spent, limit.percent, limit.level) : null,
    ]);
  }
}

export class History {
  constructor({ words, facts }) {
    this.words = words;
    this.zone = facts.time_zone;
    const made = card(words.t("history.title"));
    this.root = made.root;
    this.body = made.body;
  }

  show(status) {
    const { t } = this.words;
    const view = [...(status.recent ?? [])]
      .sort((a, b) => b.at_ms - a.at_ms)
      .map((each) => ({
        level: each.until_ms ? "" : each.level,
        text: each.text,
        at: this.term(each, status.now_ms),
        over: each.until_ms ? t("history.over") : t("history.now"),
      }));
    show(this.body, view, () =>
      view.length
        ? h(
            "ol.happened",
            { "data-scrolls": "" , tabindex: 0, "aria-label": t("history.title") },
            view.map((each) =>
              h(
                "li",
                null,
                h("div.row", null, h("span.number.soft", null, each.at), chip(each.level, each.over)),
                h("p", null, prose(each.text)),
              ),
            ),
          )
        : h("p.soft", null, t("history.none")),
    );
  }

  // From when to when, in as few words as tell it.
  term({ at_ms: from, until_ms: until }, nowMs) {
    const [begun, ended] = [from, until].map((ms) => (ms ? moment(ms, nowMs, this.zone) : ""));
    return ended && ended !== begun ? `${begun} \u2013 ${ended}` : begun;
  }
}

export function factsList(rows) {
  return h(
    "dl.facts",
    null,
    rows.map(([name, value, level]) =>
      h("div", null, h("dt", null, name), h("dd", null, level && level !== "good" ? chip(level, value) : value)),
    ),
  );
}

function meter(name, text, percent, level) {
  const bar = h("span", { class: level === "good" ? "" : level, style: { width: `${percent}%` } });
  return h(
    "div",
    null,
    h("div.row.measured", null, h("span.soft.grow", null, name), h("strong", null, text)),
    h("div.meter", { role: "meter", "aria-label": name, "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 }, bar),
  );
}

function progress(text, percent) {
  if (percent === null) {
    return h("p.soft", null, text);
  }
  return meter(text, `${percent}\u00a0%`, percent, "good");
}
