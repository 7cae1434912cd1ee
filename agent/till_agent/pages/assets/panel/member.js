// A member on the screen: who it is, what they have, what of it may be spent now, and in words why not more.

import { banner, chip, h, icon } from "/common/dom.js";
import { day, moment } from "/common/format.js";
import { facts, figure } from "./parts.js";

const STATUS = { active: "good", blocked: "error", provisional: "warning", unknown: "info", not_here: "warning" };

const LONG_NAME = 28; // Letters that fit the card in two lines.

// What the agent says that stands here in other words already.
const SHOWN_ELSEWHERE = new Set([
  ...["member_unknown", "member_not_here", "member_blocked", "member_provisional"],
  ...["balance_unconfirmed", "balance_negative", "points_inactive"],
  ...["offline", "offline_grant", "offline_floor", "floor_till_limit", "floor_hours", "offline_proof", "voucher"],
  "expiring_soon",
]);

export function nameOf(app, member) {
  if (member.name_masked) return member.name_masked;
  return member.phone_masked || member.card_masked || app.t(member.known ? "member.nameless" : `member.${statusOf(member)}`);
}

// The member of a former answer by a later one. By a stranger's reference nobody can tell their number; whoever scanned
// or keyed it was told.
export function retold(member, later) {
  const masked = (name) => later[name] || member[name];
  return { ...member, ...later, card_masked: masked("card_masked"), phone_masked: masked("phone_masked") };
}

// As it is shown: nobody's number is one thing, somebody of whom nobody can be asked just now another.
function statusOf(member) {
  if (member.known) return member.status;
  return member.spendable_reason === "not_here" ? "not_here" : "unknown";
}

// Why no more may be spent now; "" where nothing is known to say.
export function whyOf(app, member) {
  const { words } = app;
  // Known, but to this till alone as yet: registered here a moment ago.
  const fresh = member.known && member.spendable_reason === "unknown_member";
  const key = fresh ? "why.fresh" : `why.${member.spendable_reason}`;
  if (!member.spendable_reason) {
    if (member.balance_points < 0) return words.t("why.debt");
    if (!member.balance_points) return words.t("why.nothing");
    return member.spendable_points >= member.balance_points ? words.t("why.") : "";
  }
  return words.has(key) ? words.t(key) : (member.spendable_text ?? "");
}

export function memberCard(app, member, { actions = null, small = false } = {}) {
  const { t } = app;
  const status = statusOf(member);
  const name = nameOf(app, member);
  const head = h(
    "div.row.member-head",
    null,
    h("div.face", { "aria-hidden": "true" }, icon("user")),
    h(
      "div.grow",
      null,
      h(name.length > LONG_NAME ? "h2.name.long" : "h2.name", { data: { name: "member" } }, name),
      h(
        "div.row",
        null,
        small && status === "active" ? null : chip(STATUS[status], t(`member.${status}`)),
        small ? chip(member.spendable_points > 0 ? "good" : "warning", `${t("member.spendable")}: ${app.points(member.spendable_points)}`, "card") : null,
        member.tier && !small ? chip("", `${t("member.tier")}: ${app.tier(member)}`, "flag") : null,
        member.spendable_reason === "voucher" ? chip("info", t("member.voucher"), "card") : null,
      ),
    ),
  );
  if (small) {
    const why = member.spendable_points < member.balance_points ? whyOf(app, member) : "";
    return h("section.member.stack", { "aria-label": nameOf(app, member) }, head, why ? h("p.soft.small", null, why) : null);
  }
  const figures = h(
    "div.figures",
    null,
    figure(t("member.balance"), status === "not_here" && !member.balance_points ? "\u2014" : app.points(member.balance_points), { key: "balance", more: asOf(app, member) }),
    figure(t("member.spendable"), app.points(member.spendable_points), {
      key: "spendable",
      kind: member.spendable_points > 0 ? "can" : "cannot",
      more: whyOf(app, member),
    }),
  );
  return h(
    "section.card.member.stack",
    { "aria-label": nameOf(app, member) },
    h("div.stack.scrolls", { data: { scrolls: "" } }, head, figures, details(app, member), said(app, member), offers(app, member)),
    actions ? h("div.row.actions", null, actions) : null,
  );
}

function asOf(app, member) {
  if (!member.known) return "";
  if (!member.as_of_ms) return app.t("member.as_of.never");
  const when = moment(member.as_of_ms, app.line.nowMs(), app.facts.time_zone);
  return app.t("member.as_of", { moment: when });
}

function details(app, member) {
  const { t } = app;
  const { expiring } = member;
  return facts([
    [t("member.unconfirmed"), member.unconfirmed_points ? app.points(member.unconfirmed_points) : "", "unconfirmed"],
    [t("member.inactive"), member.inactive_points ? app.points(member.inactive_points) : "", "inactive"],
    [
      expiring ? t("member.expiring", { date: day(expiring.at_ms, app.facts.time_zone) }) : "",
      expiring ? app.points(expiring.points) : "",
      "expiring",
    ],
    [t("member.phone"), member.phone_masked, "phone"],
    [t("member.card"), member.card_masked, "card"],
  ]);
}

function said(app, member) {
  const told = (member.messages ?? []).filter((each) => !SHOWN_ELSEWHERE.has(each.code));
  return told.map((each) => banner(each.level, "", each.text));
}

function offers(app, member) {
  if (!member.offers?.length) return null;
  const { t } = app;
  const rows = member.offers.map((offer) =>
    h(
      "li.offer",
      null,
      icon("flag"),
      h("span.grow", null, offer.title),
      offer.valid_to ? h("span.soft.small.number", null, t("member.offer.until", { date: dotted(offer.valid_to) })) : null,
    ),
  );
  return h("div.stack.offers", null, h("h3", null, t("member.offers")), h("ul.stack", null, rows));
}

// "2026-11-30" as it is written here.
export function dotted(date) {
  const [year, month, dayOfMonth] = date.split("-");
  return `${dayOfMonth}.${month}.${year}`;
}

// A store clock's time; the date with it when it is not today's.
export function localMoment(app, text) {
  const date = dotted(text.slice(0, 10));
  const time = text.slice(11, 16);
  return date === day(app.line.nowMs(), app.facts.time_zone) ? time : `${date}\u00a0${time}`;
}

