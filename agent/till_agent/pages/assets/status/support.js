// A text for whoever helps from afar: shown before it is copied, so that everybody sees what they hand on.

import { fill, h, icon } from "../common/dom.js";

export class Support {
  constructor({ words, make }) {
    this.words = words;
    const { t } = words;
    this.said = h("p", { role: "status" });
    this.text = h("textarea.input.mono.support", { readOnly: true, rows: 14, "aria-label": t("support.title"), "data-scrolls": "" });
    this.dialog = h(
      "dialog.dialog.stack",
      { "aria-labelledby": "support-title", on: { close: () => this.button.focus() } },
      h("h2", { id: "support-title" }, t("support.title")),
      h("p.soft", null, t("support.why")),
      this.text,
      h(
        "div.row",
        null,
        h("button.button.primary", { type: "button", on: { click: () => this.copy() } }, icon("copy"), t("support.copy")),
        h("button.button", { type: "button", on: { click: () => this.dialog.close() } }, t("close")),
        h("div.grow", null, this.said),
      ),
    );
    this.button = h("button.button", { type: "button", on: { click: () => this.open(make) } }, icon("copy"), t("support.open"));
  }

  async open(make) {
    this.text.value = await make();
    fill(this.said);
    this.dialog.showModal();
  }

  async copy() {
    const { t } = this.words;
    try {
      await navigator.clipboard.writeText(this.text.value);
      fill(this.said, t("support.copied"));
    } catch {
      // A browser that gives nobody the clipboard: the text is chosen, and Ctrl-C takes it.
      this.text.focus();
      this.text.select();
      fill(this.said, t("support.by_hand"));
    }
  }
}
