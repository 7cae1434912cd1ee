// What a chain would like to know of a new member besides the number; nobody has to say it.

import { h } from "/common/dom.js";
import { letters, textInput } from "./fields.js";
import { segmented } from "./parts.js";

const FIELDS = { name: 200, birth_date: 10, sex: 0, referrer: 40 };

export class Details {
  constructor(app, ask, values) {
    this.app = app;
    this.values = { ...values };
    this.inputs = {};
    this.wrong = h("p.wrong.note", { role: "alert", id: "birth-note" });
    this.keys = h("div.keys");
    this.node = h("section.card.stack.details");
    this.asked = ask.filter((each) => each in FIELDS);
    this.draw();
  }

  draw() {
    const { t } = this.app;
    const fields = this.asked.map((each) => this[each]());
    this.node.replaceChildren(h("h2", null, t("reg.more")), ...fields, this.keys);
  }

  input(name, label, attributes) {
    const input = textInput(`reg-${name}`, { maxlength: FIELDS[name], ...attributes });
    input.value = this.values[name] ?? "";
    input.addEventListener("input", () => {
      this.values[name] = input.value;
    });
    this.inputs[name] = input;
    return h("div.field", null, h("label", { for: input.id }, label), input);
  }

  name() {
    const field = this.input("name", this.app.t("reg.name"));
    this.inputs.name.addEventListener("focus", () =>
      this.keys.replaceChildren(letters(this.app.t, this.app.language, () => this.inputs.name, { capitals: true })),
    );
    return field;
  }

  birth_date() {
    const { t } = this.app;
    const field = this.input("birth_date", t("reg.birth"), { inputmode: "numeric", placeholder: t("reg.birth.form"), "aria-describedby": "birth-note" });
    const input = this.inputs.birth_date;
    input.value = shown(this.values.birth_date ?? "");
    input.addEventListener("input", () => {
      const digits = input.value.replace(/\D/g, "").slice(0, 8);
      const atEnd = input.selectionStart === input.value.length;
      if (atEnd) input.value = [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4)].filter(Boolean).join(".");
      this.values.birth_date = input.value;
      this.wrong.textContent = "";
    });
    input.addEventListener("focus", () => this.keys.replaceChildren());
    field.append(this.wrong);
    return field;
  }

  sex() {
    const { t } = this.app;
    const choices = ["female", "male"].map((each) => [each, t(`reg.sex.${each}`)]);
    const host = h("div.field", null, h("span.label", null, t("reg.sex")));
    const draw = () => {
      host.lastChild.tagName === "DIV" && host.lastChild.remove();
      const pick = (value) => {
        this.values.sex = value;
        draw();
      };
      host.append(segmented(t("reg.sex"), choices, this.values.sex || "female", pick));
      if (!this.values.sex) host.querySelectorAll("[aria-checked]").forEach((each) => each.setAttribute("aria-checked", "false"));
    };
    draw();
    return host;
  }

  referrer() {
    return this.input("referrer", this.app.t("reg.referrer"));
  }

  // What was said, ready for the bridge; null, and a word about it, when the date is none.
  read() {
    const found = {};
    for (const [name, value] of Object.entries(this.values)) if (value) found[name] = value.trim();
    if (!found.birth_date) return found;
    const date = isoDate(found.birth_date);
    if (date) return { ...found, birth_date: date };
    this.wrong.textContent = this.app.t("reg.birth.bad");
    this.inputs.birth_date.focus();
    return null;
  }
}

function shown(date) {
  return /^\d{4}-/.test(date) ? date.split("-").reverse().join(".") : date;
}

// "05.11.1990" (or the bridge's own form) as "1990-11-05"; "" for no date there is.
export function isoDate(text) {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return text;
  const match = /^(\d\d)\.(\d\d)\.(\d{4})$/.exec(text);
  if (!match) return "";
  const [, day, month, year] = match;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const right = date.getUTCDate() === Number(day) && date.getUTCMonth() === Number(month) - 1;
  return right ? `${year}-${month}-${day}` : "";
}
