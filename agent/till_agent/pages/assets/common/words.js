// What a page says, in the language of whoever looks at it.
//
// A page has `words/LANGUAGE.json`, five files of the same keys; what both pages say is in `common/words`. A value is a
// text with names in braces, or an object with one text for each form of a number: `{one, other}`, and in Russian
// and Ukrainian `{one, few, many}`.

import { span } from "./format.js";

export const LANGUAGES = [
  ["ru", "Русский"],
  ["kk", "Қазақша"],
  ["ky", "Кыргызча"],
  ["uk", "Українська"],
  ["en", "English"],
];

// A page that is a little behind does not count them.
const FEW_SECONDS = 5;
const KEPT = "tillside.language";
const known = new Set(LANGUAGES.map(([code]) => code));

// The language that somebody picked in this browser; else `fallback` (the till's own, when that is known); else the
// browser's if it is one of ours; else Russian.
export function pickedLanguage(fallback) {
  const wished = [recall(KEPT), fallback, ...(navigator.languages ?? []).map((tag) => tag.slice(0, 2))];
  return wished.find((code) => known.has(code)) ?? "ru";
}

export function keepLanguage(language) {
  remember(KEPT, language);
}

// Nobody answered who has the words of that language.
export class NoWordsError extends Error {}

// The words of a page (`panel`, `status`) with those that all pages share. NoWordsError when the agent does not answer.
export async function loadWords(page, language) {
  const [common, own] = await Promise.all(["common", page].map((part) => fetchWords(part, language)));
  return new Words(language, { ...common, ...own });
}

async function fetchWords(part, language) {
  const answer = await fetch(`/${part}/words/${language}.json`).catch((error) => {
    throw new NoWordsError(`expected the words of ${part} in ${language}: ${error.message}`);
  });
  if (!answer.ok) {
    throw new Error(`expected the words of ${part} in ${language}, not ${answer.status}`);
  }
  return answer.json();
}

export class Words {
  constructor(language, texts) {
    this.language = language;
    this.texts = texts;
    // Handed around by itself, as `t`.
    this.t = this.t.bind(this);
    this.any = this.any.bind(this);
  }

  has(key) {
    return Object.hasOwn(this.texts, key);
  }

  // The text of `key` with `values` filled in. Where it has forms, `values.count` chooses; `values.shown` is then what
  // stands for {count}, if that is written otherwise. A key that is nowhere is shown as it is, never nothing.
  t(key, values = {}) {
    let text = this.has(key) ? this.texts[key] : key;
    if (typeof text === "object") {
      text = text[numberForm(this.language, values.count)] ?? text.many ?? text.other;
    }
    return text.replace(/\{([a-z_]+)\}/g, (whole, name) => {
      const value = name === "count" ? (values.shown ?? values.count) : values[name];
      return value === undefined ? whole : String(value);
    });
  }

  // The first of the keys that there is: for codes that may be newer than this page.
  any(keys, values) {
    return this.t(keys.find((key) => this.has(key)) ?? keys[keys.length - 1], values);
  }

  // How long: "5 minutes", "a few seconds".
  span(ms) {
    const { unit, count } = span(ms);
    return unit === "seconds" && count < FEW_SECONDS ? this.t("span.moment") : this.t(`span.${unit}`, { count });
  }

  // How long ago: "5 minutes ago", "just now".
  ago(ms) {
    return ms < FEW_SECONDS * 1000 ? this.t("span.now") : this.t("span.ago", { span: this.span(ms) });
  }
}

// Which form of a noun goes with a whole number: one, few or many in Russian and Ukrainian, one or other elsewhere.
export function numberForm(language, count) {
  if (language !== "ru" && language !== "uk") {
    return count === 1 ? "one" : "other";
  }
  const [tens, ones] = [count % 100, count % 10];
  if (ones === 1 && tens !== 11) {
    return "one";
  }
  return ones >= 2 && ones <= 4 && !(tens >= 12 && tens <= 14) ? "few" : "many";
}

// Storage may be forbidden or full: then a page forgets, and works on.
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function remember(key, value) {
  try {
    if (value) {
      localStorage.setItem(key, value);
    } else {
      localStorage.removeItem(key);
    }
    return true;
  } catch {
    return false;
  }
}
