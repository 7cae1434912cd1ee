// Scanners and printers with their states, one thing to do about each, and trials: a real slip, a real scan.

import { banner, chip, fill, h, icon, prose, show } from "../common/dom.js";
import { moment } from "../common/format.js";
import { deviceLevel, printEnded, printLevel, shownCode } from "./facts.js";
import { card, factsList } from "./cards.js";

const PRINT_LOOK_MS = 400;
const PRINT_PATIENCE_MS = 60_000;
const SCAN_PATIENCE_MS = 60_000;
const READ_BACK_MS = 120_000;

export class Devices {
  constructor({ words, facts, till }) {
    this.words = words;
    this.zone = facts.time_zone;
    this.till = till;
    const made = card(words.t("devices.title"));
    this.root = made.root;
    this.list = h("ul.devices");
    this.empty = h("div.stack", { hidden: true }, h("p", null, words.t("devices.none")), h("code.command.mono", null, "tillside devices"));
    made.body.append(this.list, this.empty);
    this.rows = new Map();
    // Whoever waits for a scan: a function of the event that gives true when it has had what it waited for.
    this.waiting = null;
  }

  show(status) {
    const keys = status.devices.map(key);
    for (const [known, row] of this.rows) {
      if (!keys.includes(known)) {
        row.root.remove();
        this.rows.delete(known);
      }
    }
    for (const device of status.devices) {
      let row = this.rows.get(key(device));
      if (row === undefined) {
        row = new Row(this, device);
        this.rows.set(key(device), row);
        this.list.append(row.root);
      }
      row.show(device, status.now_ms);
    }
    this.empty.hidden = keys.length > 0;
    this.list.hidden = keys.length === 0;
  }

  hasScanner() {
    return [...this.rows.keys()].some((each) => each.startsWith("scanner "));
  }

  scanned(scan) {
    if (this.waiting?.(scan)) {
      this.waiting = null;
    }
  }

  close() {
    this.waiting = null;
    for (const row of this.rows.values()) {
      row.close();
    }
  }
}

function key(device) {
  return `${device.role} ${device.device}`;
}

class Row {
  constructor(devices, device) {
    this.devices = devices;
    this.words = devices.words;
    this.till = devices.till;
    this.name = device.device;
    this.timer = 0;
    this.turn = 0;
    this.level = "";
    this.proves = false;
    this.outdated = false;
    const { t } = this.words;
    const [label, click] = device.role === "printer" ? ["print.try", () => this.print()] : ["scan.try", () => this.scan()];
    this.button = h("button.button", { type: "button", on: { click }, "aria-label": `${t(label)}: ${this.name}` }, t(label));
    this.head = h("div.row.grow");
    this.about = h("div.stack.about");
    this.trial = h("div.trial", { role: "status" });
    const top = h("div.row.top", null, icon(device.role), this.head, this.button);
    this.root = h("li.device", null, top, this.about, this.trial);
  }

  show(device, nowMs) {
    const { t } = this.words;
    const view = {
      level: deviceLevel(device),
      state: this.words.any([`state.${device.state}`, "state.other"]),
      role: t(`role.${device.role}`),
      since: device.since_ms ? t("since", { at: moment(device.since_ms, nowMs, this.devices.zone) }) : "",
      detail: device.detail,
      fix: device.fix,
    };
    // What was proven before it broke says nothing now; what a trial came to on a device that was broken already stays.
    this.outdated ||= this.proves && this.level === "good" && view.level !== "good";
    this.level = view.level;
    this.detail = view.detail;
    if (this.outdated && !this.button.disabled && this.devices.waiting === null) {
      this.outdated = false;
      fill(this.trial);
    }
    show(this.head, [view.role, view.level, view.state], () => [
      h("h3", null, view.role, " ", h("span.mono", null, this.name)),
      chip(view.level, view.state),
    ]);
    show(this.about, view, () => [
      view.fix ? h("p.fix", null, prose(view.fix)) : null,
      view.detail || view.since
        ? h("p.small.soft", null, [view.since, view.detail].filter(Boolean).join(" \u00b7 "))
        : null,
    ]);
  }

  tell(level, title, text, ...more) {
    this.proves = level === "good";
    this.outdated = false;
    fill(this.trial, banner(level, title, text && prose(text), ...more));
  }

  // Why a slip waits, unless it stands above already.
  why(slip) {
    return slip.detail === this.detail ? "" : slip.detail;
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
  }

  // Runs `work` unless a later trial of this device has begun since `turn`.
  still(turn) {
    return turn === this.turn;
  }

  async print() {
    const { t, language } = this.words;
    this.close();
    const turn = this.turn;
    this.button.disabled = true;
    this.tell("info", t("print.queued"), "");
    try {
      let slip = await this.till.tryPrinter(this.name, { language, patienceMs: 0 });
      const until = Date.now() + PRINT_PATIENCE_MS;
      while (slip.job && !printEnded(slip) && Date.now() < until && this.still(turn)) {
        const waits = slip.state === "queued" && slip.detail;
        this.tell(waits ? "warning" : "info", t(waits ? "print.waits" : `print.${slip.state}`), this.why(slip));
        await new Promise((resolve) => setTimeout(resolve, PRINT_LOOK_MS));
        slip = { ...(await this.till.tried(slip.job, { language })), code: slip.code };
      }
      if (this.still(turn)) {
        this.printed(slip);
      }
    } catch (problem) {
      if (this.still(turn)) {
        this.tell("error", t("failed"), problem.cashier || t("failed.hint"));
      }
    } finally {
      this.button.disabled = false;
      this.button.focus();
    }
  }

  printed(slip) {
    const { t } = this.words;
    const came = slip.state === "printed" || slip.state === "accepted";
    const code = slip.code ? h("p.readback", null, t("print.code"), " ", h("span.mono", null, slip.code)) : null;
    const word = slip.state === "queued" && slip.detail ? "print.waits" : `print.${slip.state}`;
    this.tell(printLevel(slip), t(word), this.why(slip), came ? code : null);
    if (!came || !slip.code || !this.devices.hasScanner()) {
      return;
    }
    const waits = this.trial.appendChild(banner("info", t("print.read_back"), ""));
    this.listen(READ_BACK_MS, (scan) => {
      if (scan !== null && scan.text === slip.code) {
        waits.replaceWith(banner("good", t("print.read"), [scan.device, scan.symbology].filter(Boolean).join(", ")));
        return true;
      }
      if (scan !== null) {
        waits.replaceChildren(...banner("warning", t("print.other"), shownCode(scan)).childNodes);
        waits.className = "banner warning";
        return false;
      }
      waits.remove();
      return true;
    });
  }

  scan() {
    const { t } = this.words;
    this.close();
    const cancel = h("button.button", { type: "button", on: { click: () => this.stopScan() } }, t("cancel"));
    this.tell("info", t("scan.waits"), t("scan.waits.hint"), h("div.row", null, cancel));
    cancel.focus();
    this.listen(SCAN_PATIENCE_MS, (scan) => {
      if (scan === null) {
        this.tell("warning", t("scan.none"), t("scan.none.hint"));
        this.button.focus();
        return true;
      }
      if (scan.device !== this.name) {
        return false;
      }
      const code = shownCode(scan);
      const read = [
        [t("scan.symbology"), scan.symbology || t("scan.untold")],
        [t("scan.kind"), this.words.any([`kind.${scan.kind}`, "kind.unknown"])],
        [t("scan.length"), t("scan.letters", { count: scan.text.length })],
        [t("scan.text"), code || t("none")],
      ];
      this.tell("good", t("scan.read"), "", factsList(read));
      this.button.focus();
      return true;
    });
  }

  stopScan() {
    this.close();
    this.devices.waiting = null;
    fill(this.trial);
    this.button.focus();
  }

  // Hands scans to `take` until it gives true; null once `patienceMs` are over.
  listen(patienceMs, take) {
    clearTimeout(this.timer);
    this.devices.waiting = take;
    this.timer = setTimeout(() => {
      if (this.devices.waiting === take) {
        this.devices.waiting = null;
        take(null);
      }
    }, patienceMs);
  }
}
