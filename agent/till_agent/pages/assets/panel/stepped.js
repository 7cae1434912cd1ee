// Where one stands in a row of steps.

import { h, icon } from "/common/dom.js";

// `left`: indexes of steps that were passed by, and have no tick.
export function steps(names, at, left = []) {
  const isPast = (index) => index < at && !left.includes(index);
  return h(
    "ol.steps-row",
    null,
    names.map((name, index) =>
      h(
        `li${isPast(index) ? ".past" : index === at ? ".now" : ""}`,
        { "aria-current": index === at ? "step" : null },
        h("span.step-mark.number", { "aria-hidden": "true" }, isPast(index) ? icon("check") : String(index + 1)),
        h("span", null, name),
      ),
    ),
  );
}
