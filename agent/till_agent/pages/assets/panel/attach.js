// Give a member a card: scanned, or keyed.

import { banner, fill, h, icon } from "/common/dom.js";
import { digitsField, pad } from "./fields.js";
import { memberCard, nameOf } from "./member.js";
import { button, newUid } from "./parts.js";

export class Attach {
  constructor(app, onEnd) {
    this.app = app;
    this.onEnd = onEnd;
    this.node = h("div.attach.stack");
    this.input = null;
    this.draw();
  }

  get s() {
    return this.app.state.attach;
  }

  draw() {
    const { t } = this.app;
    if (this.s.done) {
      this.input = null;
      const done = button("primary big grow", t("do.done"), () => this.onEnd(), { drawn: "check", data: { key: "done" } });
      fill(this.node, banner("good", "", this.s.said), memberCard(this.app, this.s.member, { actions: [done] }));
      done.focus();
      return;
    }
    const field = digitsField("attach-card", t("attach.label"));
    this.input = field.input;
    const go = (event) => {
      event?.preventDefault();
      if (field.read()) this.take(field.read());
    };
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && go(event));
    const { trouble, lost } = this.s;
    fill(
      this.node,
      h(
        "div.columns",
        null,
        h("section.card.stack.find", null, field.node, pad(t, () => this.input), button("primary big", t("do.attach"), go, { data: { key: "attach-do" } })),
        h(
          "section.card.stack",
          null,
          h(
            "div.stack.waiting",
            null,
            h("div.waiting-icon", { "aria-hidden": "true" }, icon("scanner")),
            h("h2", null, t("attach.title")),
            h("p.soft", null, t("attach.for", { name: nameOf(this.app, this.s.member) })),
            trouble ? (lost ? this.app.again(trouble, () => this.take(this.s.card)) : banner("warning", "", trouble)) : null,
          ),
          h("div.row.actions", null, button("big grow", t("do.cancel"), () => this.onEnd(), { drawn: "close", data: { key: "cancel" } })),
        ),
      ),
    );
    this.input.focus({ preventScroll: true });
  }

  onTrouble(text) {
    if (this.sending || this.s.done || this.s.lost) return;
    this.s.trouble = text;
    this.draw();
  }

  async take(card) {
    const { s, app } = this;
    if (this.sending || s.done) return;
    this.sending = true;
    s.card = card;
    const { reference } = s.member;
    const found = await app.ask(() => app.till.attach(reference, { uid: s.uid, card, language: app.language }), { quiet: true });
    this.sending = false;
    if (app.state.attach !== s) return;
    if (found.ok) {
      s.done = true;
      s.member = found.value.member;
      s.said = found.value.messages.map((each) => each.text).join(" ");
      s.trouble = "";
    } else {
      s.lost = Boolean(found.problem.lost);
      s.trouble = s.lost ? app.t("problem.unsure") : found.text;
      // Another card is another document.
      if (!s.lost) s.uid = newUid("c");
    }
    app.announce(s.done ? s.said : s.trouble);
    this.draw();
  }
}
