// Elements from plain values. Text becomes text and nothing else: there is no way from here to HTML or to code.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "htmlFor", "readOnly", "selected"]);

// h("button.button.primary#pay", {type: "button", on: {click}}, icon("check"), "Pay"): the element.
//
// Of the second argument: `on` has listeners by event, `data` and `style` have names and values, `class` adds classes;
// null, undefined and false leave an attribute out, true sets it empty. Children: text, numbers, nodes, lists; null,
// undefined and false are passed over.
export function h(spec, attributes, ...children) {
  const [, name, rest] = /^([a-z][a-z0-9-]*)(.*)$/.exec(spec);
  return build(document.createElement(name), rest, attributes, children);
}

// The same within an SVG picture.
export function svg(spec, attributes, ...children) {
  const [, name, rest] = /^([a-zA-Z]+)(.*)$/.exec(spec);
  return build(document.createElementNS(SVG, name), rest, attributes, children);
}

// Puts children in place of all that is in `host`, and gives `host`.
export function fill(host, ...children) {
  host.replaceChildren(...nodes(children));
  return host;
}

// Fills `host` anew with what `make` gives, but only when `state` (anything that JSON can hold) is another than last time:
// what did not change keeps its focus, its selection and its place. Focus goes back to the same `data-key` otherwise.
export function show(host, state, make) {
  const seen = JSON.stringify(state);
  if (host.shownState === seen) {
    return false;
  }
  host.shownState = seen;
  const focused = host.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  fill(host, make(state));
  if (focused !== undefined) {
    [...host.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
  }
  return true;
}

// A sentence of the agent's: it begins with a capital letter here, and what stands between backticks is set as a command.
export function prose(text) {
  const first = text.slice(0, 1);
  const whole = text.startsWith("`") ? text : first.toUpperCase() + text.slice(1);
  return whole.split("`").map((part, at) => (at % 2 ? h("code.mono", null, part) : part));
}

// Each is drawn on 24 by 24, as lines.
const ICONS = {
  alert: "M12 3 2 20h20zM12 10v4M12 17v.01",
  back: "M19 12H5M11 18l-6-6 6-6",
  card: "M3 6h18v12H3zM3 10h18M7 15h4",
  check: "M4 12l5 6L20 6",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  close: "M6 6l12 12M18 6L6 18",
  cloud: "M7 18a4 4 0 0 1 0-8 5.5 5.5 0 0 1 10.6-1A4.5 4.5 0 0 1 17.5 18z",
  "cloud-off": "M3 3l18 18M7 18a4 4 0 0 1 0-8M9 6a5.5 5.5 0 0 1 8.600 3A4.5 4.5 0 0 1 20 16.500M7 18h9",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  disk: "M4 5h16v14H4zM4 14h16M16 17v.01",
  flag: "M5 21V4h13l-3 4 3 4H5",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5M12 8v.01",
  list: "M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01",
  minus: "M5 12h14",
  pause: "M9 5v14M15 5v14",
  phone: "M7 3h10v18H7zM12 18v.01",
  play: "M7 5l12 7-12 7z",
  plus: "M12 5v14M5 12h14",
  printer: "M7 9V3h10v6M7 18H4V9h16v9h-3M7 14h10v7H7z",
  refresh: "M20 11a8 8 0 1 0-2.300 6.500M20 5v6h-6",
  returned: "M9 14l-5-5 5-5M4 9h10a6 6 0 0 1 0 12h-3",
  scanner: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5",
  stop: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM12 8v5M12 16v.01",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c0-4 4-6 8-6s8 2 8 6",
};

// A small picture beside words, which say the same: it is hidden from readers of the screen.
export function icon(name) {
  return svg("svg.icon", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

const LEVEL_ICONS = { good: "check", info: "info", warning: "alert", error: "stop" };

// A word on how something stands; `level`: good, info, warning, error, or "" for none of these.
export function chip(level, text, named) {
  const drawn = named ?? LEVEL_ICONS[level];
  return h(`span.chip${level ? `.${level}` : ""}`, null, drawn ? icon(drawn) : null, text);
}

export function banner(level, title, text, ...more) {
  const words = h("div.grow", null, title ? h("strong", null, title) : null, text ? h("div", null, text) : null, more);
  return h(`div.banner.${level}`, null, icon(LEVEL_ICONS[level]), words);
}

const TOAST_MS = 6000;

// A message that goes away by itself and is read out; what somebody must do belongs on the page instead.
export function toast(level, text) {
  let host = document.querySelector(".toasts");
  if (host === null) {
    host = document.body.appendChild(h("div.toasts", { role: "status", "aria-live": "polite" }));
  }
  const shown = host.appendChild(banner(level, "", text));
  setTimeout(() => shown.remove(), TOAST_MS);
}

function build(element, rest, attributes, children) {
  for (const [, mark, word] of rest.matchAll(/([.#])([A-Za-z0-9_-]+)/g)) {
    if (mark === "#") {
      element.id = word;
    } else {
      element.classList.add(word);
    }
  }
  for (const [name, value] of Object.entries(attributes ?? {})) {
    set(element, name, value);
  }
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) {
      element.addEventListener(event, listener);
    }
  } else if (name === "data") {
    Object.assign(element.dataset, value);
  } else if (name === "style") {
    for (const [property, wanted] of Object.entries(value)) {
      element.style.setProperty(property, wanted);
    }
  } else if (name === "class") {
    element.classList.add(...String(value).split(" ").filter(Boolean));
  } else if (PROPERTIES.has(name)) {
    element[name] = value;
  } else if (name.startsWith("on") || name === "srcdoc") {
    throw new TypeError(`expected a listener in \`on\`, not the attribute ${name}`);
  } else if (value !== null && value !== undefined && value !== false) {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "object" ? child : document.createTextNode(String(child))));
}
