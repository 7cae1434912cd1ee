// A Frontol that is not there: runs the scenario in an engine without anything newer than ECMAScript 3, and a till's
// day on it. Reads a JSON line a command and answers each with one. What it knows of Frontol's objects is from public
// scenarios; members that are not listed here throw when they are read, as COM objects do.
"use strict";

const fs = require("fs");
const vm = require("vm");
const readline = require("readline");
const { Agent } = require("./agents.js");

const ES3 = {
    Object: ["length", "name", "prototype"],
    "Object.prototype": ["constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf",
        "propertyIsEnumerable"],
    Function: ["length", "name", "prototype"],
    "Function.prototype": ["constructor", "toString", "apply", "call", "length", "name"],
    Array: ["length", "name", "prototype"],
    "Array.prototype": ["constructor", "toString", "toLocaleString", "concat", "join", "pop", "push", "reverse", "shift",
        "slice", "sort", "splice", "unshift", "length"],
    String: ["length", "name", "prototype", "fromCharCode"],
    "String.prototype": ["constructor", "toString", "valueOf", "charAt", "charCodeAt", "concat", "indexOf",
        "lastIndexOf", "localeCompare", "match", "replace", "search", "slice", "split", "substring", "toLowerCase",
        "toLocaleLowerCase", "toUpperCase", "toLocaleUpperCase", "length"],
    Number: ["length", "name", "prototype", "MAX_VALUE", "MIN_VALUE", "NaN", "NEGATIVE_INFINITY", "POSITIVE_INFINITY"],
    Date: ["length", "name", "prototype", "parse", "UTC"],
    RegExp: ["length", "name", "prototype"]
};
const GLOBALS = ["Object", "Function", "Array", "String", "Boolean", "Number", "Date", "RegExp", "Error", "EvalError",
    "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "Math", "NaN", "Infinity", "undefined",
    "eval", "parseInt", "parseFloat", "isNaN", "isFinite", "decodeURI", "decodeURIComponent", "encodeURI",
    "encodeURIComponent"];

class Cancelled {}

function newContext() {
    const context = vm.createContext({}, { codeGeneration: { strings: false } });
    vm.runInContext(`(${keepOnly.toString()})(${JSON.stringify(ES3)}, ${JSON.stringify(GLOBALS)})`, context);
    return context;
}

let last = { file: "", script: null };

function compiled(file) {
    if (last.file !== file) {
        last = { file, script: new vm.Script(fs.readFileSync(file, "utf8"), { filename: file }) };
    }
    return last.script;
}

// What may fail: each member that the scenario touches is counted and named.
class Faults {
    constructor() {
        this.clear();
    }

    clear() {
        this.count = 0;
        this.at = 0;
        this.member = "";
        this.touched = new Set();
        this.cancelFailed = false;
    }

    touch(name) {
        if (this.areOff) {
            return;
        }
        this.count += 1;
        this.touched.add(name);
        if (this.count === this.at || name === this.member) {
            this.cancelFailed = this.cancelFailed || name === "actions.cancel" || name === "frontol.actions";
            throw new Error("Object doesn't support this property or method: " + name);
        }
    }
}

class Frontol {
    constructor(options) {
        this.options = Object.assign({ till: 3, session: 12, marketing: [] }, options);
        this.faults = new Faults();
        this.values = {};
        this.doc = null;
        this.closed = null;
        this.number = this.options.number || 100;
        this.inputs = [];
        this.said = [];
        this.asked = [];
        this.uncaught = [];
        this.http = new Agent(this.options.http || { mode: "canned" }, this.faults);
        this.start();
    }

    // A new engine with the scenario in it; documents and their values outlive it, as in Frontol's database.
    start() {
        const host = this;
        this.listeners = [];
        this.context = this.options.context || newContext();
        this.context.frontol = this.com("frontol", {
            addEventListener: (event, name, before) => host.listeners.push({ event, name, before }),
            actions: () => host.actions(),
            currentDocument: () => (host.doc === null ? null : host.documentOf(host.doc)),
            currentUser: () => host.com("user", { code: 7, name: "Kassir" }),
            userValues: () => host.valuesOf("frontol.userValues", host.values),
            codeWorkplace: host.options.till,
            sessionNumber: host.options.session
        });
        this.context.Icon = { Exclamation: 48, Error: 16 };
        this.context.ActiveXObject = this.http.activeX();
        compiled(this.options.script).runInContext(this.context);
        Object.assign(this.context.tillsideSettings, this.options.settings || {});
        vm.runInContext("init()", this.context);
    }

    // An object whose other members throw, and whose functions without parameters are read as properties.
    com(name, members) {
        const faults = this.faults;
        return new Proxy(members, {
            get(target, key) {
                if (typeof key === "symbol") {
                    return undefined;
                }
                faults.touch(name + "." + key);
                if (!Object.prototype.hasOwnProperty.call(target, key)) {
                    throw new Error("Object doesn't support this property or method: " + name + "." + key);
                }
                const found = target[key];
                return typeof found === "function" && found.length === 0 ? found() : found;
            },
            set(target, key, value) {
                faults.touch(name + "." + key + "=");
                target[key] = value;
                return true;
            }
        });
    }

    actions() {
        return this.com("actions", {
            showMessage: (text, icon) => {
                this.said.push(String(text));
                return icon === undefined ? 1 : 1;
            },
            inputString: (text, other) => {
                this.asked.push(String(text));
                const given = this.inputs.shift();
                return given === undefined ? null : given === "" ? other : given;
            },
            // A parameter, so that it is a method: it interrupts the script.
            cancel: (unused) => {
                throw new Cancelled();
            }
        });
    }

    valuesOf(name, values) {
        return this.com(name, {
            get: (key) => (key in values ? values[key] : ""),
            set: (key, value) => {
                if (typeof value !== "string") {
                    throw new Error("Type mismatch");
                }
                values[key] = value;
            }
        });
    }

    // A collection with a cursor: its members are those of the row at `index`.
    cursor(name, rows, fields) {
        const state = { index: 1 };
        const faults = this.faults;
        const host = this;
        return new Proxy(state, {
            get(target, key) {
                if (typeof key === "symbol") {
                    return undefined;
                }
                faults.touch(name + "." + key);
                if (key === "index" || key === "count") {
                    return key === "index" ? state.index : rows.length;
                }
                const row = rows[state.index - 1];
                const found = row === undefined ? undefined : fields(host, row, state.index)[key];
                if (found === undefined) {
                    throw new Error("Object doesn't support this property or method: " + name + "." + key);
                }
                return typeof found === "function" && found.length === 0 ? found() : found;
            },
            set(target, key, value) {
                faults.touch(name + "." + key + "=");
                if (key !== "index") {
                    throw new Error("read only: " + name + "." + key);
                }
                state.index = value;
                return true;
            }
        });
    }

    documentOf(doc) {
        const members = {
            type: () => this.com("type", { code: doc.type, name: "Sale" }),
            number: doc.number,
            totalSum: total(doc),
            sum: doc.positions.reduce((all, each) => all + gross(each), 0),
            position: () => this.cursor("position", doc.positions, positionFields),
            payment: () => this.cursor("payment", doc.payments, paymentFields),
            card: () => this.cursor("card", doc.cards, cardFields),
            discountDoc: () => this.cursor("discountDoc", doc.discounts, discountFields),
            userValues: () => this.valuesOf("userValues", doc.values),
            baseDocument: () => (doc.base ? this.documentOf(doc.base) : this.com("baseDocument", { number: "" })),
            recalculateAllDiscounts: (unused) => this.recalculate(doc),
            addPayment: (code, amount, card) => this.addPayment({ code, amount })
        };
        if (doc.uid) {
            members.uid = doc.uid;
        }
        if (doc.session) {
            members.sessionNumber = doc.session;
        }
        return this.com("document", members);
    }

    // Runs the listeners of an event; true when one has cancelled it.
    fire(event, before, subject) {
        let cancelled = false;
        for (const listener of this.listeners) {
            if (listener.event === event && listener.before === before) {
                cancelled = this.invoke(listener.name, subject) === "cancelled" || cancelled;
            }
        }
        return cancelled;
    }

    invoke(name, subject) {
        try {
            return this.context[name](subject);
        } catch (thrown) {
            if (thrown instanceof Cancelled) {
                return "cancelled";
            }
            if (this.faults.cancelFailed) {
                return "cancelled";
            }
            this.uncaught.push(name + ": " + (thrown && thrown.message || thrown));
            return "cancelled";
        }
    }

    // Frontol asks the scenario for the size of its marketing events' discounts, and rounds what it gets.
    recalculate(doc) {
        for (const each of doc.positions) {
            each.discounts = [];
        }
        doc.discounts = [];
        for (const event of this.options.marketing) {
            if (event.level === "position") {
                doc.positions.filter((each) => !each.storno).forEach((each) => {
                    const rows = this.cursor("position", doc.positions, positionFields);
                    this.faults.areOff = true;
                    rows.index = doc.positions.indexOf(each) + 1;
                    this.faults.areOff = false;
                    this.takeOff(event, each.discounts, this.invoke(event.call, rows), gross(each));
                });
            } else {
                this.takeOff(event, doc.discounts, this.invoke(event.call, undefined), total(doc));
            }
        }
    }

    takeOff(event, discounts, wanted, most) {
        const step = event.step || 0.01;
        const amount = Math.min(Math.floor((Number(wanted) || 0) / step + 1e-6) * step, most);
        if (amount > 0) {
            discounts.push({ event: event.name, amount });
        }
    }

    openSession() {
        this.fire("openSession", false, undefined);
        return true;
    }

    openDocument({ type = 1, base = null, uid = "", session = 0 }) {
        if (this.fire("openDocument", true, undefined)) {
            return false;
        }
        this.number += 1;
        this.doc = { type, base: base === "last" ? this.closed : null, number: this.number, uid, session, values: {},
            positions: [], payments: [], cards: [], discounts: [] };
        this.fire("openDocument", false, undefined);
        return true;
    }

    addCard({ value, type = 5 }) {
        const row = { value, type };
        if (this.fire("addCard", true, this.com("card", cardFields(this, row)))) {
            return false;
        }
        this.doc.cards.push(row);
        this.fire("addCard", false, this.com("card", cardFields(this, row)));
        return true;
    }

    changeLines(event, position) {
        this.recalculate(this.doc);
        this.fire(event, false, this.com("position", positionFields(this, position, this.doc.positions.indexOf(position) + 1)));
        return true;
    }

    addPosition(fields) {
        const position = Object.assign({ code: 11, name: "\u0425\u043b\u0435\u0431", price: 10, quantity: 1, storno: 0, least: 0,
            groups: [{ code: 21, name: "BREAD" }, { code: 2, name: "GROCERY" }], discounts: [] }, fields);
        if (this.fire("addPosition", true, undefined)) {
            return false;
        }
        this.doc.positions.push(position);
        return this.changeLines("addPosition", position);
    }

    changePosition({ index, ...fields }) {
        const position = Object.assign(this.doc.positions[index - 1], fields);
        return this.changeLines("changePosition", position);
    }

    addPayment({ code, amount }) {
        const row = { code, amount, storno: 0 };
        const subject = this.com("payment", paymentFields(this, row));
        if (this.fire("addPayment", true, subject)) {
            return false;
        }
        const step = this.options.paymentStep || 0.01;
        row.amount = Math.floor(row.amount / step + 1e-6) * step;
        this.doc.payments.push(row);
        this.fire("addPayment", false, subject);
        return true;
    }

    stornoPayment({ code }) {
        const row = this.doc.payments.find((each) => each.code === code);
        if (row === undefined || this.fire("stornoPayment", true, this.com("payment", paymentFields(this, row)))) {
            return false;
        }
        this.doc.payments.splice(this.doc.payments.indexOf(row), 1);
        this.fire("stornoPayment", false, this.com("payment", paymentFields(this, row)));
        return true;
    }

    // Cash for what is left, and the change, as Frontol books it.
    payRest({ code = 1, given = 0 }) {
        const left = total(this.doc) - this.doc.payments.reduce((all, each) => all + each.amount, 0);
        if (left > 0.004) {
            this.addPayment({ code, amount: given || left });
        }
        if (given > left) {
            this.doc.payments.push({ code, amount: left - given, storno: 0 });
        }
        return true;
    }

    close({ print = false }) {
        const paid = this.doc.payments.reduce((all, each) => all + each.amount, 0);
        if (Math.abs(paid - total(this.doc)) > 0.004 || this.fire("closeDocument", true, undefined)) {
            return false;
        }
        this.printed = print ? this.print() : [];
        this.closed = this.doc;
        this.fire("closeDocument", false, undefined);
        this.doc = null;
        return true;
    }

    print() {
        const lines = [];
        const printer = this.com("print", { printString: (text) => lines.push(text),
            printStringWordWrap: (text) => lines.push(text) });
        this.invoke("tillsidePrintSlip", printer);
        return lines;
    }

    cancel({ hasDocumentAfter = true }) {
        if (this.fire("cancelDocument", true, undefined)) {
            return false;
        }
        const doc = this.doc;
        this.doc = hasDocumentAfter ? doc : null;
        this.fire("cancelDocument", false, undefined);
        this.doc = null;
        return true;
    }

    // Something that happens to the closed document, which is the current one meanwhile.
    cancelClosed() {
        this.doc = this.closed;
        return this.cancel({});
    }

    key({ name, inputs = [] }) {
        this.inputs = inputs;
        this.invoke(name, undefined);
        return true;
    }

    // Answers to calls whose path begins so get lost, until they are found again.
    lose({ path }) {
        this.http.lost = path;
        return true;
    }

    // Each call fails so from now on, or only the next.
    failing({ kind, once = false }) {
        const next = this.http.count + 1;
        Object.assign(this.http, { failKind: kind, failAt: once ? next : -next });
        return true;
    }

    find() {
        this.http.lost = "";
        return true;
    }

    restart() {
        this.start();
        return true;
    }

    ask({ expression }) {
        return vm.runInContext(expression, this.context);
    }
}

// Runs within the engine: takes everything away that ECMAScript 3 did not have. What is to go is listed first, since
// the list is made with what goes.
function keepOnly(members, globals) {
    var remove = Reflect.deleteProperty;
    var scope = this;
    var gone = [];
    for (const name in members) {
        const object = name.split(".").reduce((at, part) => at[part], scope);
        Object.getOwnPropertyNames(object).forEach((each) => members[name].includes(each) || gone.push([object, each]));
    }
    gone.push([Date.prototype, "toISOString"], [Date.prototype, "toJSON"]);
    Object.getOwnPropertyNames(scope).forEach((each) => globals.includes(each) || gone.push([scope, each]));
    for (var index = 0; index < gone.length; index += 1) {
        remove(gone[index][0], gone[index][1]);
    }
}

function gross(position) {
    return position.storno ? 0 : Math.round(position.price * position.quantity * 100) / 100;
}

function positionTotal(position) {
    return gross(position) - position.discounts.reduce((all, each) => all + each.amount, 0);
}

function total(doc) {
    const lines = doc.positions.filter((each) => !each.storno).reduce((all, each) => all + positionTotal(each), 0);
    return Math.max(0, lines - doc.discounts.reduce((all, each) => all + each.amount, 0));
}

function positionFields(host, row, index) {
    return {
        number: row.number === undefined ? index : row.number,
        index,
        price: row.price,
        quantity: row.quantity,
        sum: gross(row),
        totalSum: positionTotal(row),
        storno: row.storno,
        barcode: "",
        ware: () => host.com("ware", { code: row.code, name: row.name, text: row.name, minPrice: row.least,
            parent: () => host.cursor("parent", row.groups, (each, group) => group) }),
        discountPos: () => host.cursor("discountPos", row.discounts, discountFields)
    };
}

function paymentFields(host, row) {
    return { type: () => host.com("paymentType", { code: row.code, name: "" }), sumInBaseCurrency: row.amount,
        storno: row.storno };
}

function cardFields(host, row) {
    return { value: row.value, type: row.type };
}

function discountFields(host, row) {
    return { sum: row.amount, marketingEvent: () => host.com("marketingEvent", { name: row.event, code: 1 }) };
}

module.exports = { Frontol, newContext };

// ---- As a program.

let host = null;

function answer(command) {
    if (command.do === "new") {
        host = new Frontol(command);
    } else if (command.do === "sweep") {
        return require("./sweeps.js").sweep(command);
    }
    const out = { done: true };
    host.said.length = 0;
    host.asked.length = 0;
    host.http.calls.length = 0;
    if (command.do !== "new") {
        out.done = host[command.do](command);
    }
    const doc = host.doc;
    return Object.assign(out, {
        said: host.said.slice(),
        asked: host.asked.slice(),
        calls: host.http.calls.slice(),
        uncaught: host.uncaught.slice(),
        values: doc ? doc.values : {},
        closedValues: host.closed ? host.closed.values : {},
        payments: doc ? doc.payments : [],
        total: doc ? total(doc) : 0,
        shop: host.values,
        printed: host.printed || []
    });
}

if (require.main === module) {
    readline.createInterface({ input: process.stdin }).on("line", (line) => {
        let out;
        try {
            out = answer(JSON.parse(line));
        } catch (thrown) {
            out = { broken: String(thrown && thrown.stack || thrown) };
        }
        process.stdout.write(JSON.stringify(out) + "\n");
    }).on("close", () => process.exit(0));
}
