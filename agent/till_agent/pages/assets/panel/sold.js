// A receipt that is done: what to take, what came of it, and on to the next customer.

import { banner, h } from "/common/dom.js";
import { button, facts, figure, settled } from "./parts.js";

export function soldCard(app, { answer, sum }, onNext) {
  const { t } = app;
  const { calculation, member } = answer;
  return h(
    "section.card.stack.held",
    null,
    banner("good", t("sell.done"), "", answer.messages.map((each) => h("div", null, each.text))),
    h(
      "div.figures",
      null,
      figure(t("sell.done.take"), app.money(sum.payable_minor), { key: "taken", kind: "can" }),
      figure(t("receipt.earned"), app.points(calculation.earned_points ?? 0), { key: "earned" }),
      member ? figure(t("sell.done.after"), app.points(answer.balance_after_points), { key: "after" }) : null,
    ),
    facts([[t("receipt.points_paid"), calculation.redeemed_minor ? app.money(calculation.redeemed_minor) : ""]]),
    h("div.spring"),
    h("div.row.actions", null, button("primary big grow", t("do.next_customer"), settled(onNext), { drawn: "check", data: { key: "next" } })),
  );
}
