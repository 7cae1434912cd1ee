// Where one stands in a row of steps.

import { h, icon } from "/common/dom.js";

export function steps(names, at) {
  return h(
    "ol.steps-row",
    null,
    names.map((name, index) =>
      h(
        `li${index < at ? ".past" : index === at ? ".now" : ""}`,
        { "aria-current": index === at ? "step" : null },
        h("span.step-mark.number", { "aria-hidden": "true" }, index < at ? icon("check") : String(index + 1)),
        h("span", null, name),
      ),
    ),
  );
}
