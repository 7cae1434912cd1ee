// What a chain would like to know of a new member besides the number; nobody has to say it.

import { h } from "/common/dom.js";
import { digitRow, letters, textInput } from "./fields.js";
import { isoDate, shown } from "./dates.js";
import { segmented } from "./parts.js";

const FIELDS = { name: 200, birth_date: 10, sex: 0, referrer: 40 };

export class Details {
  constructor(app, ask, values) {
    this.app = app;
    this.values = { ...values };
    this.inputs = {};
    this.wrong = h("p.wrong.note", { role: "alert", id: "birth-note" });
    this.keys = h("div.keys"); // Below both columns: letters want the whole width.
    this.node = h("section.card.stack.details");
    this.asked = ask.filter((each) => each in FIELDS);
    this.draw();
  }

  draw() {
    const { t } = this.app;
    const fields = this.asked.map((each) => this[each]());
    this.node.replaceChildren(h("h2", null, t("reg.more")), ...fields);
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
    input.addEventListener("focus", () => this.keys.replaceChildren(digitRow(t, () => input)));
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
    const field = this.input("referrer", this.app.t("reg.referrer"));
    const input = this.inputs.referrer;
    input.addEventListener("focus", () =>
      this.keys.replaceChildren(digitRow(this.app.t, () => input), letters(this.app.t, "en", () => input)),
    );
    return field;
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
