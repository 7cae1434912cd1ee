// One sale after another in each of which something else fails. A cashier who never gives up makes them: what can't be
// closed is closed without points.
"use strict";

const { Frontol, newContext } = require("./host.js");

Error.stackTraceLimit = 0;

const POINTS = 9;
const KINDS = ["refused", "lost", "12029", "zero", "garbage", "cut", "null", "500", "503", "401", "404", "409", "422"];
const LASTING = ["refused", "garbage", "401"];

function sale(host) {
    host.openSession();
    host.openDocument({});
    host.addCard({ value: "2900000000018" });
    host.addPosition({ price: 19.99, quantity: 3 });
    host.addPosition({ price: 40.1, quantity: 1.255, code: 12 });
    host.addPosition({ price: 5, quantity: 1, storno: 1, code: 13 });
    host.changePosition({ index: 1, quantity: 2 });
    host.key({ name: "tillsideRedeem", inputs: [host.options.settings.wish || "20"] });
    const payment = host.options.settings.redemption === "payment";
    if (payment && !host.doc.payments.length) {
        host.addPayment({ code: POINTS, amount: 15 });
    }
    host.payRest({});
    let closed = host.close({ print: true });
    if (!closed) {
        host.doc.payments = host.doc.payments.filter((each) => each.code !== 1);
        while (payment && host.stornoPayment({ code: POINTS })) {
            closed = false;
        }
        if (!payment) {
            host.key({ name: "tillsideForget" });
            host.recalculate(host.doc);
        }
        host.payRest({});
        closed = host.close({});
    }
    const paid = host.closed ? pointsOf(host.closed, payment) : 0;
    host.openDocument({});
    host.addPosition({});
    host.payRest({});
    const next = host.close({});
    host.openDocument({});
    host.addPosition({});
    const cancelled = host.cancel({});
    return { closed, next, cancelled, paid };
}

function pointsOf(doc, payment) {
    const rows = payment ? doc.payments.filter((each) => each.code === POINTS) : doc.discounts;
    return Math.round(100 * rows.reduce((all, each) => all + each.amount, 0));
}

// What must hold whatever fails: receipts are closed, nothing is thrown at Frontol, and what points paid was reserved.
function wrong(host, out) {
    const found = [];
    if (!out.closed || !out.next || !out.cancelled) {
        found.push("a receipt could not be closed or cancelled: " + JSON.stringify(out));
    }
    found.push(...host.uncaught);
    if (out.paid > 0 && host.reserved < out.paid) {
        found.push("points paid " + out.paid + " of which " + host.reserved + " were reserved");
    }
    return found;
}

function run(options, arm) {
    const host = new Frontol(options);
    host.reserved = 0;
    const give = host.http.canned.answer.bind(host.http.canned);
    host.http.canned.answer = (method, path, body) => {
        const found = give(method, path, body);
        if (path === "/v1/holds") {
            host.reserved = Math.max(host.reserved, body.points);
        }
        return found;
    };
    host.faults.clear();
    arm(host);
    let out;
    let broken = [];
    try {
        out = sale(host);
        broken = wrong(host, out);
    } catch (thrown) {
        broken = ["the host broke: " + (thrown && thrown.stack || thrown)];
    }
    return { host, out, broken };
}

function sweep(command) {
    const found = [];
    let runs = 0;
    command.context = newContext();
    const whole = run(command, () => undefined);
    const check = (name, arm) => {
        const { broken } = run(command, arm);
        runs += 1;
        if (broken.length > 0) {
            found.push(name + ": " + broken.join("; "));
        }
    };
    if (command.what === "calls") {
        for (const kind of command.kinds || KINDS) {
            for (let at = 1; at <= whole.host.http.count; at += 1) {
                check(kind + " at call " + at, (host) => Object.assign(host.http, { failAt: at, failKind: kind }));
                if (LASTING.includes(kind)) {
                    check(kind + " from call " + at, (host) => Object.assign(host.http, { failAt: -at, failKind: kind }));
                }
            }
        }
    } else if (command.what === "members") {
        for (const name of whole.host.faults.touched) {
            check("without " + name, (host) => Object.assign(host.faults, { member: name }));
        }
    } else {
        for (let at = command.first; at <= whole.host.faults.count; at += command.step) {
            check("failure at access " + at, (host) => Object.assign(host.faults, { at }));
        }
    }
    return { runs, found: found.slice(0, 30), count: found.length, whole: whole.broken, out: whole.out,
        calls: whole.host.http.count, accesses: whole.host.faults.count, members: whole.host.faults.touched.size };
}

module.exports = { sweep };
