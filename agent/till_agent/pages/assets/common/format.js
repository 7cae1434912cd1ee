// Amounts, points, times and sizes as people read them. Amounts are whole minor units throughout: no fractions anywhere.

const SPACE = "\u00a0";
// Numbers are written as on slips and in what the agent says (`till_loyalty.plural`): 1000 is read at a glance.
const GROUPED_DIGITS = 5;

// 1234550 with two digits after the point: "12 345,50", in English "12 345.50".
export function money(minor, exponent, language) {
  return decimal(minor, exponent, language, exponent);
}

// As money, but whole ones without a point: "500", "12,50".
export function points(minor, exponent, language) {
  return decimal(minor, exponent, language, minor % 10 ** exponent ? exponent : 0);
}

// What somebody typed ("12 345,5") as minor units; null when it is no amount, has too many digits after the point, or
// is too large to be told apart exactly.
export function parseAmount(text, exponent) {
  const match = /^(\d{1,13})(?:[.,](\d*))?$/.exec(text.replace(/[\s\u00a0]/g, ""));
  if (match === null || (match[2] ?? "").length > exponent) {
    return null;
  }
  const minor = Number(match[1] + (match[2] ?? "").padEnd(exponent, "0"));
  return Number.isSafeInteger(minor) ? minor : null;
}

// A quantity in thousandths: 1500 is "1,5".
export function quantity(thousandths, language) {
  return decimal(thousandths, 3, language, 0);
}

export function whole(number, language) {
  return decimal(number, 0, language, 0);
}

const formats = new Map();

// Parts of a moment in a time zone, as text of two digits (the year: four).
function parts(ms, timeZone) {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const options = {
      timeZone: timeZone || undefined,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    };
    try {
      format = new Intl.DateTimeFormat("en-GB", options);
    } catch {
      // A zone that this browser does not know: its own is better than none.
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: undefined });
    }
    formats.set(timeZone, format);
  }
  return Object.fromEntries(format.formatToParts(ms).map((part) => [part.type, part.value]));
}

// "22.11.2026", the same in all five languages.
export function day(ms, timeZone) {
  const p = parts(ms, timeZone);
  return `${p.day}.${p.month}.${p.year}`;
}

export function time(ms, timeZone, { seconds = false } = {}) {
  const p = parts(ms, timeZone);
  return seconds ? `${p.hour}:${p.minute}:${p.second}` : `${p.hour}:${p.minute}`;
}

export function dayAndTime(ms, timeZone, options) {
  return `${day(ms, timeZone)}${SPACE}${time(ms, timeZone, options)}`;
}

// The time alone when it is today's.
export function moment(ms, nowMs, timeZone, options) {
  return day(ms, timeZone) === day(nowMs, timeZone) ? time(ms, timeZone, options) : dayAndTime(ms, timeZone, options);
}

const SECOND = 1000;
const UNITS = [
  ["days", 86_400 * SECOND],
  ["hours", 3_600 * SECOND],
  ["minutes", 60 * SECOND],
  ["seconds", SECOND],
];

// How long something took or is ago, in its largest unit: {unit: "minutes", count: 5}. Two of a unit are the least for it to
// be used, so that "1 hour" does not hide 59 minutes.
export function span(ms) {
  const long = Math.max(0, ms);
  const [unit, size] = UNITS.find(([name, each]) => long >= 2 * each || name === "seconds");
  return { unit, count: Math.floor(long / size) };
}

// 53687091200 is "50 GB"; with one digit after the point below ten.
export function bytes(count, language) {
  const names = ["B", "KB", "MB", "GB", "TB"];
  let tenths = Math.max(0, count) * 10;
  let at = 0;
  while (tenths >= 10_240 && at < names.length - 1) {
    tenths /= 1024;
    at += 1;
  }
  const rounded = tenths < 100 && at > 0 ? Math.round(tenths) : Math.round(tenths / 10) * 10;
  return `${decimal(rounded, 1, language, 0)}${SPACE}${names[at]}`;
}

function decimal(minor, exponent, language, fewest) {
  const point = language === "en" ? "." : ",";
  const sign = minor < 0 ? "\u2212" : "";
  const digits = String(Math.abs(minor)).padStart(exponent + 1, "0");
  const ungrouped = digits.slice(0, digits.length - exponent);
  const before = ungrouped.length < GROUPED_DIGITS ? ungrouped : ungrouped.replace(/\B(?=(\d{3})+$)/g, SPACE);
  let after = exponent ? digits.slice(-exponent) : "";
  while (after.length > fewest && after.endsWith("0")) {
    after = after.slice(0, -1);
  }
  return sign + before + (after ? point + after : "");
}
