// What the panel's screens are put together from.

import { banner, h, icon } from "/common/dom.js";

export function button(kind, text, onClick, { drawn = "", ...attributes } = {}) {
  const spec = `button.button${kind ? kind.split(" ").map((each) => `.${each}`).join("") : ""}`;
  return h(spec, { type: "button", ...attributes, on: { click: onClick } }, drawn ? icon(drawn) : null, text);
}

const SETTLE_MS = 600; // A key that is held repeats until then.

// For a button that comes up under a finger which still holds Enter: keys count a moment later only, touches at once.
export function settled(onClick) {
  const from = performance.now() + SETTLE_MS;
  return (event) => {
    if (event.detail === 0 && performance.now() < from) return;
    onClick(event);
  };
}

// Across the whole page; `drawn` in place of the level's own picture, `side` at its end.
export function wideBanner(level, title, text, { drawn = "", side = [], more = [] } = {}) {
  const made = banner(level, title, text, more);
  made.classList.add("wide");
  if (drawn) made.querySelector(".icon").replaceWith(icon(drawn));
  if (side.length) made.append(h("div.ages", null, side.map((each) => h("div", null, each))));
  return made;
}

// A figure that is read from afar, with its name above and a word about it below. It is as large as its place lets it be:
// an amount whose end is cut off would be read as another.
export function figure(name, value, { more = null, kind = "", key = "" } = {}) {
  return h(
    `div.figure${kind ? `.${kind}` : ""}`,
    { data: key ? { figure: key } : {} },
    h("div.figure-name", null, name),
    h("div.figure-value.number", { style: { "--letters": String(value).length } }, value),
    more ? h("div.figure-more", null, more) : null,
  );
}

// Names and values; rows whose value is "", null or undefined are left out.
export function facts(rows) {
  const shown = rows.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h(
    "dl.facts",
    null,
    shown.map(([name, value, key]) =>
      h("div", null, h("dt", null, name), h("dd.number", { data: key ? { fact: key } : {} }, value)),
    ),
  );
}

// One of several, as buttons; left and right go from one to the next.
export function segmented(label, choices, chosen, onChoose) {
  const host = h("div.segmented", { role: "radiogroup", "aria-label": label });
  const buttons = choices.map(([value, text]) =>
    h(
      "button.button",
      {
        type: "button",
        role: "radio",
        "aria-checked": String(value === chosen),
        tabindex: value === chosen ? 0 : -1,
        data: { key: `choice-${value}`, value },
        on: { click: () => onChoose(value) },
      },
      text,
    ),
  );
  host.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    onChoose(next.dataset.value);
    document.querySelector(`[data-key="choice-${next.dataset.value}"]`)?.focus();
  });
  host.append(...buttons);
  return host;
}

// Up and down walk through the buttons of a list.
export function walkable(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...list.querySelectorAll("button:not(:disabled)")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
  return list;
}

// A question that has to be answered first. Resolves to true for yes; Escape is no.
export function ask({ title, text, yes, no, danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = h(
      "dialog.dialog.stack",
      { "aria-labelledby": "ask-title", on: { close } },
      h("h2#ask-title", null, title),
      text ? h("p", null, text) : null,
      h(
        "div.row.actions",
        null,
        button("big grow", no, () => dialog.close(), { data: { key: "no" } }),
        button(danger ? "big grow danger" : "big grow primary", yes, agree, { data: { key: "yes" } }),
      ),
    );
    function agree() {
      answer = true;
      dialog.close();
    }
    function close() {
      dialog.remove();
      resolve(answer);
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A number as it may be said in a label of the panel: how long something took.
export function age(t, ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return t("age.now");
  if (minutes < 60) return t("age.minutes", { minutes });
  if (minutes < 48 * 60) return t("age.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  const hours = Math.floor(minutes / 60);
  return t("age.days", { days: Math.floor(hours / 24), hours: hours % 24 });
}

export function newUid(kind) {
  return `panel-${kind}-${crypto.randomUUID()}`;
}
