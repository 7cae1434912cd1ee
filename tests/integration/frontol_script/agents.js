// What MSXML2.ServerXMLHTTP is in the tests: calls to a real agent, made by a thread that this one waits for; or a small
// agent in this process, for the many runs in which each call fails in its turn.
"use strict";

const http = require("http");
const { Worker, isMainThread, parentPort } = require("worker_threads");

const ANSWER_BYTES = 4 * 1024 * 1024;
const HEAD_BYTES = 16;
const PATIENCE_MS = 20000;

if (!isMainThread) {
    parentPort.on("message", ({ shared, method, url, headers, body, waitMs }) => {
        const state = new Int32Array(shared, 0, HEAD_BYTES / 4);
        const done = (status, data) => {
            if (Atomics.load(state, 0) !== 0) {
                return;
            }
            const length = Math.min(data.length, ANSWER_BYTES);
            new Uint8Array(shared, HEAD_BYTES, length).set(data.subarray(0, length));
            state[1] = status;
            state[2] = length;
            Atomics.store(state, 0, 1);
            Atomics.notify(state, 0);
        };
        const request = http.request(url, { method, headers, agent: false }, (answer) => {
            const parts = [];
            answer.on("data", (part) => parts.push(part));
            answer.on("end", () => done(answer.statusCode, Buffer.concat(parts)));
            answer.on("error", () => done(0, Buffer.alloc(0)));
        });
        request.setTimeout(waitMs, () => request.destroy(new Error("timeout")));
        request.on("error", () => done(0, Buffer.alloc(0)));
        request.end(body);
    });
}

let worker = null;
let shared = null;

function really(method, url, headers, body, waitMs) {
    if (worker === null) {
        worker = new Worker(__filename);
        worker.unref();
    }
    shared = new SharedArrayBuffer(HEAD_BYTES + ANSWER_BYTES);
    const state = new Int32Array(shared, 0, HEAD_BYTES / 4);
    worker.postMessage({ shared, method, url, headers, body, waitMs });
    if (Atomics.wait(state, 0, 0, PATIENCE_MS) === "timed-out") {
        return { status: 0, text: "" };
    }
    const bytes = Buffer.from(new Uint8Array(shared, HEAD_BYTES, state[2]));
    // As whoever guesses the encoding wrong reads it: the agent's letters must come as escapes.
    return { status: state[1], text: bytes.toString("latin1") };
}

// As little of the agent as a receipt needs: one member with 500.00 points, a point a rouble, half a receipt at most.
// `proof` is asked for above `above` points, and no more than `available` can be had.
class Canned {
    constructor(options) {
        this.options = options;
        this.sales = {};
        this.holds = {};
        this.count = 0;
    }

    answer(method, path, body) {
        if (path === "/v1/identify") {
            return [200, { reference: "m-1", known: true, status: "active", name_masked: "A***", balance_points: 50000,
                spendable_points: 50000, messages: [] }];
        }
        if (path === "/v1/page") {
            return [200, { points_exponent: 2 }];
        }
        if (path === "/v1/quotes") {
            return [200, this.quote(body)];
        }
        if (path === "/v1/confirmations") {
            const state = body.code === undefined ? "sent" : body.code === "1234" ? "confirmed" : "sent";
            return [200, { confirmation: { confirmation: "c-77", state }, messages: [{ text: "code " + state, level: "info" }] }];
        }
        if (path === "/v1/holds") {
            const { proof, above, available } = this.options;
            if (proof && body.points > above && body.pin !== "2580" && body.confirmation !== "c-77") {
                return body.pin ? [409, { code: "pin_wrong", cashier: "Wrong PIN. Tries left: 4." }]
                    : [409, { code: "proof_required", proof, allowed_points: above, cashier: "Prove it." }];
            }
            if (available && body.points > available) {
                return [409, { code: "offline_limit", available_points: available, cashier: "Less." }];
            }
            this.count += 1;
            this.holds["h-" + this.count] = body;
            return [200, { hold: "h-" + this.count, points: body.points, expires_in_ms: 600000 }];
        }
        if (method === "DELETE" && path.startsWith("/v1/holds/")) {
            delete this.holds[path.slice(10)];
            return [204, null];
        }
        if (method === "PUT" && path.startsWith("/v1/sales/")) {
            this.sales[path.slice(10)] = body;
            return [200, { messages: [] }];
        }
        if (method === "GET" && path.startsWith("/v1/sales/")) {
            const found = this.sales[path.slice(10)];
            return found ? [200, {}] : [404, { code: "sale_unknown", cashier: "No such receipt." }];
        }
        return path === "/livez" ? [200, {}] : [404, { code: "not_found", cashier: "?" }];
    }

    quote(body) {
        const whole = body.receipt.lines.reduce((all, each) => all + each.amount_minor, 0);
        const most = body.member ? Math.min(50000, Math.floor(whole / 2)) : 0;
        const points = Math.min(most, body.redeem_points < 0 ? most : body.redeem_points);
        return { calculation: { redeemed_points: points, redeemed_minor: points, lines: [], discounts: [] }, messages: [],
            redeemable: { points: most, amount_minor: most }, slip_preview: body.slip_preview ? "one\ntwo" : "" };
    }
}

class Agent {
    constructor(options, faults) {
        this.options = options;
        this.faults = faults;
        this.calls = [];
        this.count = 0;
        this.failAt = 0;
        this.failKind = "";
        this.lost = "";
        this.canned = new Canned(options);
    }

    answer(call, waitMs) {
        this.count += 1;
        const kind = this.count === this.failAt || this.failAt < 0 && this.count >= -this.failAt ? this.failKind : "";
        const before = ["refused", "12029", "zero"].includes(kind);
        const found = before ? { status: 0, text: "" } : this.really(call, waitMs);
        const isLost = this.lost !== "" && new URL(call.url).pathname.startsWith(this.lost);
        return spoilt(isLost ? "lost" : kind, found);
    }

    really(call, waitMs) {
        if (this.options.mode === "real") {
            return really(call.method, call.url, call.headers, call.body, waitMs);
        }
        const [status, data] = this.canned.answer(call.method, new URL(call.url).pathname, call.body && JSON.parse(call.body));
        return { status, text: data === null ? "" : JSON.stringify(data) };
    }

    activeX() {
        const agent = this;
        return function (name) {
            agent.faults.touch("ActiveXObject");
            if (!/^MSXML2\.ServerXMLHTTP/.test(name)) {
                throw new Error("Automation server can't create object");
            }
            return new Request(agent);
        };
    }
}

function spoilt(kind, found) {
    switch (kind) {
    case "":
        return found;
    case "lost":
    case "refused":
        return null;
    case "12029":
        return { status: 12029, text: "" };
    case "zero":
        return { status: 0, text: "" };
    case "garbage":
        return { status: 200, text: "<html>" + found.text };
    case "cut":
        return { status: found.status, text: found.text.slice(0, found.text.length / 2) };
    case "null":
        return { status: 200, text: "null" };
    default:
        return { status: Number(kind), text: JSON.stringify({ code: "x", cashier: "Refused.", retryable: false }) };
    }
}

class Request {
    constructor(agent) {
        this.agent = agent;
        this.call = { headers: {} };
        this.waitMs = 0;
    }

    setTimeouts(resolve, connect, send, receive) {
        this.agent.faults.touch("request.setTimeouts");
        this.waitMs = receive;
    }

    setProxy(kind) {
        this.agent.faults.touch("request.setProxy");
    }

    open(method, url, isAsynchronous) {
        this.agent.faults.touch("request.open");
        Object.assign(this.call, { method, url });
        if (isAsynchronous !== false || this.waitMs === 0) {
            throw new Error("expected a synchronous call with timeouts");
        }
    }

    setRequestHeader(name, value) {
        this.agent.faults.touch("request.setRequestHeader");
        this.call.headers[name] = value;
    }

    send(body) {
        this.agent.faults.touch("request.send");
        if (body !== undefined && !/^[\x20-\x7e]*$/.test(body)) {
            throw new Error("expected ASCII");
        }
        this.call.body = body;
        this.answer = this.agent.answer(this.call, this.waitMs);
        const path = this.call.url.replace(/^http:\/\/[^/]*/, "");
        this.agent.calls.push({ method: this.call.method, path, status: this.answer ? this.answer.status : 0,
            body: body === undefined ? null : JSON.parse(body), client: this.call.headers["X-Tillside-Client"] });
        if (this.answer === null || this.answer.status === 0) {
            throw new Error("A connection with the server could not be established");
        }
    }

    get status() {
        this.agent.faults.touch("request.status");
        return this.answer.status;
    }

    get responseText() {
        this.agent.faults.touch("request.responseText");
        return this.answer.text;
    }
}

module.exports = { Agent };
