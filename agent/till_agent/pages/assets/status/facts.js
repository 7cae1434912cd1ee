// What the page says of the agent's answers, without the page: plain values in, plain values out.

const WELL = new Set(["ready", "busy", "disabled"]);
const DOUBTFUL = new Set(["opening", "degraded", "absent"]);
const DISK_LOW_BYTES = 512 * 1024 ** 2;
const DISK_VERY_LOW_BYTES = 100 * 1024 ** 2;
const SKEW_LIMIT_MS = 120_000;
const CACHE_AGE_LIMIT_MS = 24 * 3_600_000;

// How it all stands: {level, count}. `level`: good, warning (sales are taken, somebody should look), error (none are).
export function verdict(status) {
  if (!status.ready) {
    return { level: "error", count: status.problems.length };
  }
  const grave = status.problems.some((problem) => problem.level === "error");
  const level = grave ? "error" : status.problems.length ? "warning" : "good";
  return { level, count: status.problems.length };
}

export function deviceLevel(device) {
  if (WELL.has(device.state)) {
    return device.state === "disabled" ? "" : "good";
  }
  return DOUBTFUL.has(device.state) ? "warning" : "error";
}

// The line to the cloud: {key, level}. `key` ends the name of a text.
export function line(sync) {
  if (!sync.enrolled) {
    return { key: "not_enrolled", level: "error" };
  }
  if (sync.halted) {
    return { key: "halted", level: "error" };
  }
  return sync.online ? { key: "online", level: "good" } : { key: "offline", level: "warning" };
}

// Share of members that were loaded, in percent; null when nothing is being loaded, or nobody knows how much.
export function loadedPercent(sync) {
  if (!sync.loading || !sync.snapshot_bytes) {
    return null;
  }
  return Math.min(100, Math.floor((sync.fetched_bytes * 100) / sync.snapshot_bytes));
}

// Free space: {level, usedPercent}; null when the agent could not tell.
export function disk(status) {
  if (!status.disk_total_bytes) {
    return null;
  }
  const free = status.disk_free_bytes;
  const level = free < DISK_VERY_LOW_BYTES ? "error" : free < DISK_LOW_BYTES ? "warning" : "good";
  return { level, usedPercent: 100 - Math.floor((free * 100) / status.disk_total_bytes) };
}

// The till's clock beside the cloud's: {key, level, ms}. Positive `ms`: the till's is ahead.
export function clock(status) {
  const skew = status.clock_skew_ms;
  if (skew === null || skew === undefined) {
    return { key: "unknown", level: "", ms: 0 };
  }
  const ms = Math.abs(skew);
  if (ms < 2000) {
    return { key: "right", level: "good", ms };
  }
  return { key: skew > 0 ? "ahead" : "behind", level: ms > SKEW_LIMIT_MS ? "warning" : "good", ms };
}

// How old the balances are: {ageMs, level}; null when there are none.
export function cache(status) {
  if (!status.cache_as_of_ms) {
    return null;
  }
  const ageMs = Math.max(0, status.now_ms - status.cache_as_of_ms);
  return { ageMs, level: ageMs > CACHE_AGE_LIMIT_MS ? "warning" : "good" };
}

// Spending within the floor limit, of the most that is allowed; null without one.
export function floor(status) {
  const most = status.floor_limit_points;
  if (!most) {
    return null;
  }
  const percent = Math.min(100, Math.floor((status.floor_spent_points * 100) / most));
  return { percent, level: percent >= 100 ? "error" : percent >= 80 ? "warning" : "good" };
}

const OP_LEVELS = {
  waiting: "",
  applied: "good",
  adjusted: "info",
  duplicate: "good",
  rejected: "error",
  parked: "error",
};

export function opLevel(op) {
  return OP_LEVELS[op.status] ?? "";
}

// What of a scanned code is shown: all of goods and of our test slips, whose codes are nobody's; of others the ends,
// for they may name a member.
export function shownCode(scan, testCode = "") {
  const text = scan.text;
  if (text === "" || scan.kind === "goods" || (testCode && text === testCode)) {
    return text;
  }
  return text.length < 8 ? "\u2022".repeat(text.length) : `${text.slice(0, 2)}\u2026${text.slice(-2)}`;
}

// States in which nothing more becomes of a test slip.
const PRINT_ENDS = new Set(["printed", "accepted", "refused", "unknown"]);
const PRINT_LEVELS = { printed: "good", accepted: "good", refused: "error", unknown: "warning" };

export function printEnded(print) {
  return PRINT_ENDS.has(print.state);
}

export function printLevel(print) {
  return PRINT_LEVELS[print.state] ?? "info";
}

// What is copied for support: lines of names and values, of these fields and no others. Nothing in it names a member, and no
// text in it was written by anybody but the agent.
export function supportText(status, ops, browser) {
  const { sync } = status;
  const lines = [
    "Tillside status for support",
    `version ${status.version}`,
    `till ${status.till || "-"} store ${status.store || "-"}`,
    `now ${utc(status.now_ms)} started ${utc(status.started_ms)}`,
    `ready ${yes(status.ready)} programme ${status.programme || "-"}`,
    `members ${status.members_cached} as of ${utc(status.cache_as_of_ms)}`,
    `clock_skew_ms ${status.clock_skew_ms ?? "-"}`,
    `disk_free_bytes ${status.disk_free_bytes ?? "-"} disk_total_bytes ${status.disk_total_bytes ?? "-"}`,
    `prints_waiting ${status.prints_waiting}`,
    `grants ${status.grants} floor ${status.floor_spent_points}/${status.floor_limit_points}`,
    `sync online=${yes(sync.online)} enrolled=${yes(sync.enrolled)} halted=${code(sync.halted)}`,
    `sync waiting=${sync.waiting} oldest_waiting_ms=${sync.oldest_waiting_ms} acked=${sync.acked_seq}/${sync.last_seq}`,
    `sync last_push ${utc(sync.last_push_ms)} last_pull ${utc(sync.last_pull_ms)} retry_in_ms=${sync.retry_in_ms}`,
    `sync adjusted=${sync.adjusted} rejected=${sync.rejected} resent=${sync.resent} divergences=${sync.divergences}`,
    ...status.devices.map((each) => `device ${each.role} ${each.device} ${each.state} since ${utc(each.since_ms)}`),
    ...status.problems.map((each) => `problem ${each.level} ${code(each.code)}`),
    ...(status.recent ?? []).map(
      (each) => `happened ${code(each.code)} ${utc(each.at_ms)} until ${each.until_ms ? utc(each.until_ms) : "now"}`,
    ),
    ...ops.map((op) => `op ${op.op} ${op.kind} ${op.status} ${code(op.code)} ${utc(op.at_wall_ms)}`),
    `browser ${browser}`,
  ];
  return `${lines.join("\n")}\n`;
}

function utc(ms) {
  return ms ? new Date(ms).toISOString().slice(0, 19) + "Z" : "-";
}

function yes(is) {
  return is ? "yes" : "no";
}

// Codes are words of letters and underscores; anything else in their place is not ours.
function code(text) {
  return /^[a-z0-9_]{1,60}$/.test(text ?? "") ? text : "-";
}
