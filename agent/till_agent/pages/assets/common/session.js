// Who this browser is to the agent: the token that it keeps, and the form by which it gets one.
//
// Each page has a token of its own, since their rights differ. A code comes behind `#` of the address, which no browser sends
// anywhere, or is typed; `tillside page open` makes it.

import { banner, fill, h } from "./dom.js";
import { LANGUAGES, NoWordsError, keepLanguage, loadWords, recall, remember } from "./words.js";

const CODE_DIGITS = 8;
// What the agent knows this program by in its log; every call that changes something carries it.
export const CLIENT = "tillside-pages";

function slot(page) {
  return `tillside.token.${page}`;
}

export function keptToken(page) {
  return recall(slot(page));
}

export function forgetToken(page) {
  remember(slot(page), "");
}

// The code of the address, "" if there is none. It is taken out of the address at once: nobody sees it there, and it is
// in no history.
export function takeCode() {
  const match = new RegExp(`^#code=(\\d{${CODE_DIGITS}})$`).exec(location.hash);
  if (location.hash) {
    history.replaceState(null, "", location.pathname + location.search);
  }
  return match ? match[1] : "";
}

// Turns a code into a token, and keeps it. Gives {token, page} or {refused, wait_s}: `refused` is the problem's code, or
// "away" when the agent does not answer.
export async function pair(code) {
  let answer;
  try {
    answer = await fetch("/v1/pairing", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Tillside-Client": CLIENT },
      body: JSON.stringify({ code }),
    });
  } catch {
    return { refused: "away", wait_s: 0 };
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    return { refused: body.code ?? "away", wait_s: Math.ceil((body.retry_after_ms ?? 0) / 1000) };
  }
  remember(slot(body.page), body.token);
  return { token: body.token, page: body.page };
}

// A token for `page`, as soon as there is one: what is kept, what the address brings, or what the form in `host` gets.
// `reason` "unknown": the kept one is not taken any more. Gives {token, language}.
export async function enter({ page, host, language, reason = "" }) {
  if (reason === "unknown") {
    forgetToken(page);
  }
  const code = takeCode();
  let note = reason;
  if (code) {
    const paired = await pair(code);
    if (paired.token && paired.page === page) {
      return { token: paired.token, language };
    }
    note = paired.refused ?? "other_page";
  }
  const token = keptToken(page);
  return token ? { token, language } : ask({ page, host, language, note });
}

async function ask({ page, host, language, note }) {
  return new Promise((resolve) => {
    async function draw(shown, focus) {
      const words = await loadWords(page, shown);
      document.documentElement.lang = shown;
      document.title = words.t("title");
      const form = pairingForm({
        words,
        page,
        note,
        onToken: (token) => resolve({ token, language: shown }),
        onLanguage: (picked) => {
          keepLanguage(picked);
          draw(picked, "select");
        },
      });
      fill(host, form);
      form.querySelector(focus).focus();
    }
    draw(language, "input");
  });
}

function pairingForm({ words, page, note, onToken, onLanguage }) {
  const { t } = words;
  const said = h("div", { role: "alert", id: "pairing-said" });
  const input = h("input.input.code#pairing-code", {
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    maxlength: 12,
    "aria-describedby": "pairing-said",
  });
  const button = h("button.button.primary.big", { type: "submit" }, t("pairing.submit"));

  function tell(code, wait_s = 0) {
    const text = words.any([`pairing.refused.${code}`, "pairing.refused.other"], { count: wait_s });
    fill(said, banner(code === "unknown" ? "info" : "error", "", text));
    input.setAttribute("aria-invalid", String(code !== "unknown" && code !== "away"));
  }

  async function submit(event) {
    event.preventDefault();
    const code = input.value.replace(/\D/g, "");
    if (code.length !== CODE_DIGITS) {
      tell("short");
      input.focus();
      return;
    }
    button.disabled = true;
    const paired = await pair(code);
    button.disabled = false;
    if (paired.token && paired.page === page) {
      onToken(paired.token);
      return;
    }
    tell(paired.refused ?? "other_page", paired.wait_s);
    input.select();
    input.focus();
  }

  if (note) {
    tell(note);
  }
  return h(
    "main.card.pairing.stack",
    null,
    h("div.row", null, h("h1.grow", null, t("title")), languagePicker(words, onLanguage)),
    h("p", null, t("pairing.why")),
    h("code.command.mono", null, `tillside page link ${page}`),
    said,
    h(
      "form.stack",
      { on: { submit }, novalidate: true },
      h("div.field", null, h("label", { for: "pairing-code" }, t("pairing.label")), input),
      button,
    ),
    h("p.soft.small", null, t("pairing.how_long")),
  );
}

// A list of the languages, each by its own name. `onLanguage(code)` is called when another one was picked. If nobody
// answers with its words, the list goes back to the language that the page speaks.
export function languagePicker(words, onLanguage) {
  const change = async ({ target }) => {
    try {
      await onLanguage(target.value);
    } catch (error) {
      if (!(error instanceof NoWordsError)) throw error;
      target.value = words.language;
    }
  };
  return h(
    "select.select",
    { "aria-label": words.t("language"), on: { change } },
    LANGUAGES.map(([code, name]) =>
      h("option", { value: code, lang: code, selected: code === words.language }, name),
    ),
  );
}
