// Fields for numbers, and the keys on the screen that type into them. A till may have no keyboard, or no touch.

import { h, icon } from "/common/dom.js";
import { lengthOf, prefixOf, readPhone } from "./phone.js";

// Put text where the caret is, as a key would.
export function typeInto(input, text) {
  const limit = input.maxLength > 0 ? input.maxLength : Infinity;
  if (input.value.length - (input.selectionEnd - input.selectionStart) + text.length > limit) return;
  input.setRangeText(text, input.selectionStart, input.selectionEnd, "end");
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export function eraseFrom(input) {
  const { selectionStart: start, selectionEnd: end } = input;
  if (start === end && start === 0) return;
  input.setRangeText("", start === end ? start - 1 : start, end, "end");
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export function clear(input) {
  input.value = "";
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

// A key of the screen: it leaves the focus where it is, so that fingers and keyboards can take turns.
function key(content, label, press, kind = "") {
  const attributes = {
    type: "button",
    tabindex: -1,
    "aria-label": label,
    on: { click: press, pointerdown: (event) => event.preventDefault(), mousedown: (event) => event.preventDefault() },
  };
  return h(`button.button.key${kind ? `.${kind}` : ""}`, attributes, content);
}

// Ten digits, one more key (`point`: a comma for amounts) and erasing. `target()` is the field that gets them.
export function pad(t, target, { point = "" } = {}) {
  const digit = (text) => key(text, text, () => typeInto(target(), text));
  const last = point ? digit(point) : key(icon("close"), t("pad.clear"), () => clear(target()), "soft-key");
  return h(
    "div.pad",
    { role: "group" },
    [..."123456789"].map(digit),
    last,
    digit("0"),
    key(icon("back"), t("pad.back"), () => eraseFrom(target()), "soft-key"),
  );
}

const LETTERS = {
  ru: ["йцукенгшщзх", "фывапролджэ", "ячсмитьбюъё"],
  kk: ["әіңғүұқөһъё", "йцукенгшщзх", "фывапролджэ", "ячсмитьбю"],
  ky: ["йцукенгшщзх", "фывапролджэ", "ячсмитьбюңүө"],
  uk: ["йцукенгшщзхї", "фівапролджє", "ячсмитьбюґ'"],
  en: ["qwertyuiop", "asdfghjkl", "zxcvbnm-'"],
};

// Letters of the language, with a key that changes to Latin ones and back. `capitals`: a name's first letters.
export function letters(t, language, target, { capitals = false } = {}) {
  const host = h("div.letters", { role: "group", "aria-label": t("keys.label") });
  let latin = language === "en";

  function press(letter) {
    const input = target();
    const before = input.value.slice(0, input.selectionStart);
    typeInto(input, capitals && /(^|[\s-])$/.test(before) ? letter.toLocaleUpperCase(language) : letter);
  }
  function draw() {
    const rows = LETTERS[latin ? "en" : language].map((row) =>
      h("div.letters-row", null, [...row].map((letter) => key(letter, letter, () => press(letter)))),
    );
    const other = language === "en" ? null : key(latin ? "АБВ" : "ABC", latin ? "АБВ" : "ABC", swap, "soft-key");
    const space = key(t("keys.space"), t("keys.space"), () => typeInto(target(), " "), "space-key");
    const back = key(icon("back"), t("keys.back"), () => eraseFrom(target()), "soft-key");
    host.replaceChildren(...rows, h("div.letters-row", null, other, space, back));
  }
  function swap() {
    latin = !latin;
    draw();
  }
  draw();
  return host;
}

// The ten digits in one row, with erasing.
export function digitRow(t, target) {
  const digits = [..."1234567890"].map((each) => key(each, each, () => typeInto(target(), each)));
  return h("div.letters", { role: "group" }, h("div.letters-row", null, digits, key(icon("back"), t("pad.back"), () => eraseFrom(target()), "soft-key")));
}

export function textInput(id, attributes = {}) {
  return h(`input.input#${id}`, {
    type: "text",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    ...attributes,
    data: { key: id, ...(attributes.data ?? {}) },
  });
}

// A phone number: written in groups while it is keyed. `read()` gives what `readPhone` gives. The country's code in front
// is a key: it makes room for another one, since the keys of the screen have no plus.
export function phoneField(id, t, label, country, { value = "", onChange = () => {} } = {}) {
  const input = textInput(id, { inputmode: "tel", class: "large number", maxlength: 24 });
  let read = readPhone(value, country);
  const prefix = key(prefixOf(country), `${prefixOf(country)}: ${t("pad.abroad")}`, () => abroad(), "prefix");
  prefix.classList.add("number");
  prefix.title = t("pad.abroad");
  const show = () => {
    input.value = read.shown;
    prefix.hidden = read.foreign || !prefixOf(country);
  };
  input.addEventListener("input", () => {
    const behind = input.value.slice(input.selectionStart).replace(/\D/g, "").length;
    read = readPhone(input.value, country);
    // A plus by itself is the beginning of a number with its country.
    if (/^\s*\+\D*$/.test(input.value)) {
      prefix.hidden = true;
      return;
    }
    show();
    let caret = input.value.length;
    for (let left = behind; left > 0 && caret > 0; caret--) if (/\d/.test(input.value[caret - 1])) left--;
    input.setSelectionRange(caret, caret);
    onChange(read);
  });
  const abroad = () => {
    clear(input);
    typeInto(input, "+");
    input.focus();
  };
  show();
  const node = h("div.field", null, h("label", { for: id }, label), h("div.prefixed", null, prefix, input));
  return { node, input, read: () => read };
}

// How much of a number is missing, where that is known: another country's may have any length.
export function tooShort(t, country, read) {
  const missing = lengthOf(country) - read.digits.length;
  return read.foreign || missing < 1 ? t("problem.identifier_invalid") : t("find.more_digits", { count: missing });
}

// Digits in groups of four, as they stand on a card.
export function digitsField(id, label, { value = "", most = 24, group = 4, onChange = () => {}, kind = "" } = {}) {
  const attributes = { inputmode: "numeric", class: `large number ${kind}`, maxlength: most + Math.ceil(most / group) };
  const input = textInput(id, attributes);
  const read = () => input.value.replace(/\s/g, "");
  const show = () => {
    const digits = read().slice(0, most);
    input.value = group ? digits.replace(new RegExp(`(.{${group}})(?=.)`, "g"), "$1 ") : digits;
  };
  input.value = value;
  show();
  input.addEventListener("input", () => {
    const end = input.selectionStart === input.value.length;
    const caret = input.selectionStart;
    show();
    if (!end) input.setSelectionRange(caret, caret);
    onChange(read());
  });
  return { node: h("div.field", null, h("label", { for: id }, label), input), input, read };
}
