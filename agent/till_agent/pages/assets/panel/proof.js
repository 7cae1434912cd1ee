// Above so many points the member proves who they are: by a PIN that they key themselves, or a code on their phone.
// Neither is kept anywhere.

import { banner, fill, h } from "/common/dom.js";
import { digitsField, pad, phoneField } from "./fields.js";
import { button, newUid, segmented } from "./parts.js";

const CODE = /^[0-9]{4,8}$/;
const MOST_ATTEMPTS = 10;

export class Proof {
  constructor(app, { member, ways, free, onProof, onCancel }) {
    Object.assign(this, { app, member, ways, free, onProof, onCancel });
    this.way = ways.includes("pin") ? "pin" : "code";
    this.uid = newUid("p");
    this.attempt = 1;
    this.phone = "";
    this.sent = null;
    this.node = h("div.proof");
    this.draw();
  }

  field() {
    return this.input;
  }

  refused(text) {
    this.said = text;
    this.sent = null;
    this.draw();
    this.input.focus();
  }

  draw() {
    const { t, facts } = this.app;
    const note = h("p.wrong.note", { role: "alert" }, this.said ?? "");
    const asksPhone = this.way === "code" && !this.sent;
    const field = asksPhone
      ? phoneField("proof-phone", t, t("sell.proof.phone"), facts.country, { value: this.phone, onChange: () => (note.textContent = "") })
      : digitsField("proof-digits", t(this.way === "pin" ? "sell.proof.pin" : "reg.code"), { most: 8, group: 0, kind: "code-field" });
    this.input = field.input;
    if (this.way === "pin") this.input.type = "password";
    const go = async (event) => {
      event?.preventDefault();
      if (asksPhone) {
        const read = field.read();
        if (!read.whole) return void (note.textContent = t("find.empty"));
        this.phone = read.value;
        return this.ask("");
      }
      const digits = field.read();
      if (!CODE.test(digits)) return void (note.textContent = t("reg.code.short"));
      this.said = "";
      return this.way === "pin" ? this.onProof({ pin: digits }) : this.ask(digits);
    };
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && go(event));
    const ways = this.ways.map((each) => [each, t(`sell.proof.by_${each}`)]);
    fill(
      this.node,
      h(
        "div.columns",
        null,
        h("section.card.stack.find", null, field.node, note, pad(t, () => this.input), button("primary big", t(asksPhone ? "sell.proof.send" : "do.next"), go, { data: { key: "prove" } })),
        h(
          "section.card.stack",
          null,
          h("h2", null, t("sell.proof", { points: this.app.points(this.free) })),
          ways.length > 1 ? segmented(t("sell.proof", { points: this.app.points(this.free) }), ways, this.way, (picked) => this.choose(picked)) : null,
          this.told ? banner("info", "", this.told) : null,
          this.sent ? button("", t("reg.resend"), () => this.again(), { drawn: "refresh", disabled: this.attempt >= MOST_ATTEMPTS }) : null,
          h("div.spring"),
          button("big", t("do.back"), () => this.onCancel(), { drawn: "back", data: { key: "back" } }),
        ),
      ),
    );
  }

  choose(way) {
    this.way = way;
    this.said = "";
    this.draw();
    this.input.focus();
  }

  again() {
    this.attempt += 1;
    this.ask("");
  }

  async ask(code) {
    const { app } = this;
    const body = { uid: this.uid, member: { reference: this.member.reference }, phone: this.phone, attempt: this.attempt, language: app.language, ...(code ? { code } : {}) };
    const found = await app.ask(() => app.till.confirm(body), { quiet: true });
    this.told = "";
    if (!found.ok) {
      this.said = found.text;
    } else {
      const { confirmation, messages } = found.value;
      if (confirmation.state === "confirmed") return this.onProof({ confirmation: confirmation.confirmation });
      this.sent = confirmation.state === "sent" ? confirmation : null;
      const text = messages.map((each) => each.text).join(" ");
      if (code || !this.sent) this.said = text;
      else this.told = text;
    }
    this.draw();
    this.input.focus();
    return null;
  }
}
