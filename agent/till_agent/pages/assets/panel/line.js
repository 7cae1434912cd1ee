// How things stand between this page, the agent, the head office and the scanner; told as it is, with what to do.

import { chip, fill, h } from "/common/dom.js";
import { dayAndTime } from "/common/format.js";
import { age, wideBanner } from "./parts.js";

const LOOK_MS = 15_000;
const AWAY_AFTER_MS = 1500; // An agent that is started anew is back within a second: no alarm for that.
const DEAF_AFTER_MS = 4000; // An agent that answers gives a stream at once, unless too many are open.
const TICK_MS = 1000;

const SCANNER_STATES = { ready: "ready", busy: "ready", degraded: "ready", opening: "opening", fault: "fault" };

export class Line {
  constructor(app) {
    this.app = app;
    this.status = null;
    this.devices = new Map();
    this.live = false;
    this.answers = false; // Whether it gave an answer since the stream broke.
    this.brokenAt = performance.now();
    this.awaySince = performance.now();
    this.everLive = false;
    this.gotAt = 0;
    this.chips = h("div.row.states", { role: "group" });
    this.banners = h("div.banners", { role: "status", "aria-live": "polite" });
    this.shown = {};
  }

  // The agent's wall clock, as well as it is known here.
  nowMs() {
    return this.status ? this.status.now_ms + (performance.now() - this.gotAt) : Date.now();
  }

  get away() {
    return !this.live && !this.answers && performance.now() - this.awaySince >= AWAY_AFTER_MS;
  }

  // The agent answers and tells this page nothing by itself: it has no stream to give.
  get deaf() {
    return !this.live && this.answers && performance.now() - this.brokenAt >= DEAF_AFTER_MS;
  }

  get offline() {
    return this.status !== null && !this.status.sync.online;
  }

  // Look now, and then again and again.
  async look() {
    try {
      const status = await this.app.till.status({ patienceMs: 0 });
      this.status = status;
      this.gotAt = performance.now();
      this.devices = new Map(status.devices.map((each) => [`${each.role} ${each.device}`, each]));
      this.answers = true;
      if (!this.live && performance.now() - this.brokenAt >= AWAY_AFTER_MS) this.app.kick();
    } catch (problem) {
      if (problem.status === 401) this.app.refused();
      // Anything else is what the stream tells too, while there is one.
      if (!problem.status && this.answers) {
        this.answers = false;
        this.awaySince = performance.now();
      }
    }
    this.draw();
  }

  start(every) {
    this.looking = every(LOOK_MS, () => this.look());
    this.ticking = setInterval(() => this.draw(), TICK_MS);
  }

  stop() {
    this.looking?.close();
    clearInterval(this.ticking);
  }

  onState(state) {
    const live = state === "live";
    if (live === this.live) return;
    this.live = live;
    if (live) this.everLive = true;
    else this.awaySince = this.brokenAt = performance.now();
    this.answers = false;
    this.looking?.now();
    this.draw();
  }

  onEvent(name, data) {
    if (name === "device") this.devices.set(`${data.role} ${data.device}`, data);
    if (name === "sync" && this.status) this.status = { ...this.status, sync: data };
    if (name === "sync" || name === "reset") this.looking?.now();
    this.draw();
  }

  scannerState() {
    const scanners = [...this.devices.values()].filter((each) => each.role === "scanner");
    if (!scanners.length) return this.status ? "none" : "";
    const states = scanners.map((each) => SCANNER_STATES[each.state] ?? (each.state === "lost" ? "lost" : "absent"));
    return ["ready", "opening", "fault", "lost", "absent"].find((each) => states.includes(each));
  }

  // What to do about the scanner, "" while it works.
  scannerAdvice() {
    const state = this.scannerState();
    const { t } = this.app;
    if (state === "none") return t("scanner.do.none");
    if (state === "absent" || state === "lost") return t("scanner.do.absent");
    return state === "fault" ? t("scanner.do.fault") : "";
  }

  // Draws what changed since the last time.
  draw() {
    const { t } = this.app;
    const scanner = this.scannerState();
    const line = this.lineState();
    this.put("chips", `${this.app.language} ${line} ${scanner}`, () => {
      const level = { online: "good", offline: "warning", away: "error", starting: "info" }[line];
      const drawn = { online: "cloud", offline: "cloud-off", away: "stop", starting: "clock" }[line];
      const chips = [chip(level, t(`line.${line}`), drawn)];
      if (scanner && line !== "away" && line !== "starting") chips.push(chip(scanner === "ready" ? "good" : "warning", t(`scanner.${scanner}`), "scanner"));
      this.chips.setAttribute("aria-label", t("state.label"));
      fill(this.chips, chips);
    });
    const said = this.lineSaid();
    this.put("banner", said.join("|"), () => {
      const [level, title, text, ages] = said;
      const drawn = line === "offline" ? "cloud-off" : "";
      fill(this.banners, level ? wideBanner(level, title, text, { drawn, side: ages }) : null);
    });
    this.app.onLine(line, said);
  }

  put(name, state, make) {
    if (this.shown[name] === state) return;
    this.shown[name] = state;
    make();
  }

  lineState() {
    if (this.away) return "away";
    // Before its first stream a page hears no scan: nothing is called ready that soon.
    if (!this.status || (!this.everLive && !this.deaf)) return "starting";
    return this.status.sync.online ? "online" : "offline";
  }

  // What stands across the page: [level, title, what to do, [age of the data, what waits]]; [] when all is well.
  lineSaid() {
    const { t } = this.app;
    const { status } = this;
    if (this.away || !status) return [];
    if (!status.ready) return ["error", t("banner.not_ready"), t("banner.not_ready.more"), []];
    if (status.sync.loading && !status.sync.halted && status.sync.online) {
      return ["info", t("banner.loading"), t("banner.loading.more"), []];
    }
    if (this.deaf) return ["warning", t("banner.deaf"), t("banner.deaf.more"), []];
    if (status.sync.halted) return ["warning", t("banner.halted"), t("banner.halted.more"), this.ages()];
    return status.sync.online ? [] : ["warning", t("banner.offline"), t("banner.offline.more"), this.ages()];
  }

  // How old the data is by the cloud's clock, and what waits to be sent.
  ages() {
    const { t } = this.app;
    const { status } = this;
    const asOf = status.cache_as_of_ms;
    const told = [];
    if (asOf) {
      const old = this.nowMs() - (status.clock_skew_ms ?? 0) - asOf;
      const moment = dayAndTime(asOf, this.app.facts.time_zone);
      told.push(old < 60_000 ? t("banner.age.now", { moment }) : t("banner.age", { moment, age: age(t, old) }));
    } else {
      told.push(t("banner.age.never"));
    }
    if (status.sync.waiting) told.push(t("banner.waiting", { count: status.sync.waiting }));
    return told;
  }

  awayFor() {
    return age(this.app.t, performance.now() - this.awaySince);
  }
}
