// Tillside's client for JavaScript: every call of the bridge (docs/reference/bridge.md), its refusals as `Problem`, its
// events as an async iterator. One file, no dependency; browsers and Node 18 or later.
//
//     import { Till, Problem } from "./tillside.js";
//     const till = new Till({ url: "http://127.0.0.1:17532", token, client: "my-pos" });
//     const member = await till.identify({ scan: "2900000001018" });
//     const sale = await till.sell("t1-204-17", { receipt, member: { reference: member.reference } });
//
// Money, points and quantities are whole numbers, in the units of docs/how-to/connect-cash-software.md.

/**
 * What every call takes besides its own. `timeoutMs` is for one attempt; `patienceMs` for all with their pauses, twice
 * `timeoutMs` when left out; 0: one attempt only. An aborted `signal` ends the call with its reason.
 * @typedef {{signal?: AbortSignal, timeoutMs?: number, patienceMs?: number}} CallOptions
 */

/**
 * One event: `data` is ScanEvent of `scan`, Health of `device`, SyncStatus of `sync`, Message of `alert`, {} of `reset`.
 * @typedef {{id: string, event: string, data: any}} TillEvent
 */

const QUICK_MS = 2000; // waits for nobody, or for the cloud within its budget of 800 ms
const USUAL_MS = 5000;
const SLOW_MS = 15000; // an exchange with the cloud gives up after 10 s
const PAUSES_MS = [200, 600, 1800]; // an agent that is started anew answers again within a second or two
const EVENTS_CONNECT_MS = 5000;
const EVENTS_IDLE_MS = 45000; // the agent comments every 15 s: three of those missed, and nobody is there
const EVENTS_PAUSE_MS = 1000;
const EVENTS_LONGEST_PAUSE_MS = 10000;
const EVENT_LIMIT = 1048576; // characters; a scan with all that a member has takes a few thousand

/**
 * Why a call was not done. `code` is stable; `cashier` is a sentence to show, "" where the agent gave none. Without an
 * answer of the agent `status` is 0 and `code` one of `unreachable`, `timed_out`, `answer_malformed`.
 */
export class Problem extends Error {
  /**
   * @param {{operation: string, status: number, code: string, detail: string, retryable?: boolean, cashier?: string,
   *   pointer?: string, retryAfterMs?: number, lost?: boolean, extras?: Object<string, any>, cause?: unknown}} facts
   */
  constructor(facts) {
    super(`${facts.operation}: ${facts.code}: ${facts.detail}`);
    this.name = "Problem";
    this.operation = facts.operation;
    this.status = facts.status;
    this.code = facts.code;
    this.detail = facts.detail;
    /** Whether the same call may succeed later. */
    this.retryable = facts.retryable ?? false;
    this.cashier = facts.cashier ?? "";
    /** JSON pointer to the bad field of the body; "" where none is to blame. */
    this.pointer = facts.pointer ?? "";
    /** When to come again; 0 where nothing was said. */
    this.retryAfterMs = facts.retryAfterMs ?? 0;
    /** Nobody knows whether it was done: the same call, with the same uid, is how to find out. */
    this.lost = facts.lost ?? false;
    /** All that the agent said, such as `available_points`, `choices`, `proof`. */
    this.extras = facts.extras ?? {};
    if (facts.cause !== undefined) this.cause = facts.cause;
  }
}

/**
 * The agent of this till. Each method is an operation of the bridge, and gives what the agent answers or throws `Problem`.
 *
 * A call whose answer was lost is repeated if that can't do anything twice: with the same bytes, so under the same uid.
 * A refusal that says when to come again is repeated then, if patience lasts so long.
 */
export class Till {
  /**
   * `token` may be a function, for tokens that change. `client` is the name of your program.
   * @param {{url?: string, token?: string | (() => string), client?: string, fetch?: typeof fetch,
   *   timeoutMs?: number, patienceMs?: number}} [settings]
   */
  constructor({ url = "http://127.0.0.1:17532", token = "", client = "tillside-js", ...rest } = {}) {
    this.url = url.replace(/\/+$/, "");
    this.token = token;
    this.client = client;
    this.timeoutMs = rest.timeoutMs;
    this.patienceMs = rest.patienceMs;
    this._fetch = rest.fetch ?? ((...request) => fetch(...request)); // a browser's fetch minds what it is called on
  }

  // <calls> made by `make reference` from docs/reference/openapi.json

  /**
   * What a receipt would give; changes nothing.
   * @param {QuoteRequest} body
   * @param {CallOptions} [options]
   * @returns {Promise<Quote>}
   */
  quote(body, options = {}) {
    return this._call("quote", "POST", ["v1", "quotes"], {
      body,
      again: true,
      timeoutMs: QUICK_MS,
      options,
    });
  }

  /**
   * Whose card, phone or code this is, and what they have.
   * @param {Identify} body
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en", alone?: "true" | "false"}} [options]
   * @returns {Promise<Member>}
   */
  identify(body, options = {}) {
    return this._call("identify", "POST", ["v1", "identify"], {
      body,
      query: { language: options.language, alone: options.alone },
      again: true,
      timeoutMs: QUICK_MS,
      options,
    });
  }

  /**
   * Commit a sale: durable on this till before the answer leaves. The same uid and body give it again.
   * @param {string} uid
   * @param {SaleRequest} body
   * @param {CallOptions} [options]
   * @returns {Promise<Sale>}
   */
  sell(uid, body, options = {}) {
    return this._call("sell", "PUT", ["v1", "sales", uid], {
      body,
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * A sale as it stands, and what the cloud said to it.
   * @param {string} uid
   * @param {CallOptions} [options]
   * @returns {Promise<SaleView>}
   */
  sale(uid, options = {}) {
    return this._call("sale", "GET", ["v1", "sales", uid], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Cancel a whole sale. Again for the same sale gives the first answer.
   * @param {string} uid
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en", print_slip?: "true" | "false"}} [options]
   * @returns {Promise<Reversed>}
   */
  void(uid, options = {}) {
    return this._call("void", "POST", ["v1", "sales", uid, "void"], {
      query: { language: options.language, print_slip: options.print_slip },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Take goods back, whole or in part. The cloud is asked about a sale of another till.
   * @param {string} uid
   * @param {ReturnRequest} body
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<Reversed>}
   */
  return(uid, body, options = {}) {
    return this._call("return", "PUT", ["v1", "returns", uid], {
      body,
      query: { language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Whether a coupon's code is good here and now, for this member; asks the cloud about codes that count.
   * @param {string} code
   * @param {CallOptions & {reference?: string, language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<Coupon>}
   */
  coupon(code, options = {}) {
    return this._call("coupon", "GET", ["v1", "coupons", code], {
      query: { reference: options.reference, language: options.language },
      again: true,
      timeoutMs: QUICK_MS,
      options,
    });
  }

  /**
   * Reserve points at the cloud for one receipt; expires by itself.
   * @param {HoldCreate} body
   * @param {CallOptions} [options]
   * @returns {Promise<Hold>}
   */
  hold(body, options = {}) {
    return this._call("hold", "POST", ["v1", "holds"], {
      body,
      again: !body.pin,
      timeoutMs: QUICK_MS,
      options,
    });
  }

  /**
   * Give reserved points back.
   * @param {string} hold
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  release(hold, options = {}) {
    return this._call("release", "DELETE", ["v1", "holds", hold], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Register a person, step by step under one uid; durable on this till when it answers `registered`.
   * @param {MemberCreate} body
   * @param {CallOptions} [options]
   * @returns {Promise<MemberCreated>}
   */
  register(body, options = {}) {
    return this._call("register", "POST", ["v1", "members"], {
      body,
      again: !body.code,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Members by what a person remembers: the name, the last digits of phone or card.
   * @param {CallOptions & {query?: string, limit?: number, language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<MembersFound>}
   */
  members(options = {}) {
    return this._call("members", "GET", ["v1", "members"], {
      query: { query: options.query, limit: options.limit, language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Give a member a card.
   * @param {string} reference
   * @param {CardAttach} body
   * @param {CallOptions} [options]
   * @returns {Promise<CardAttached>}
   */
  attach(reference, body, options = {}) {
    return this._call("attach", "POST", ["v1", "members", reference, "cards"], {
      body,
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Have a one-time code sent to a member who wants to spend much, then hand in what they say.
   * @param {CodeRequest} body
   * @param {CallOptions} [options]
   * @returns {Promise<CodeAnswer>}
   */
  confirm(body, options = {}) {
    return this._call("confirm", "POST", ["v1", "confirmations"], {
      body,
      again: !body.code,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The slip of a sale: text, PNG, printer bytes, blocks, or Frontol's blocks.
   * @param {string} uid
   * @param {CallOptions & {format?: "text" | "json" | "png" | "escpos" | "frontol", columns?: number, language?: "ru" |
   *   "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<string | SlipBlocks | Uint8Array | any>}
   */
  slip(uid, options = {}) {
    return this._call("slip", "GET", ["v1", "sales", uid, "slip"], {
      query: { format: options.format, columns: options.columns, language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Print the slip again, marked as a copy.
   * @param {string} uid
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<SlipState>}
   */
  print(uid, options = {}) {
    return this._call("print", "POST", ["v1", "sales", uid, "slip", "print"], {
      query: { language: options.language },
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The slip of a sale's void: text, PNG, printer bytes, blocks, or Frontol's blocks.
   * @param {string} uid
   * @param {CallOptions & {format?: "text" | "json" | "png" | "escpos" | "frontol", columns?: number, language?: "ru" |
   *   "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<string | SlipBlocks | Uint8Array | any>}
   */
  voidSlip(uid, options = {}) {
    return this._call("void_slip", "GET", ["v1", "sales", uid, "void", "slip"], {
      query: { format: options.format, columns: options.columns, language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Print the slip of a sale's void again, marked as a copy.
   * @param {string} uid
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<SlipState>}
   */
  printVoid(uid, options = {}) {
    return this._call("print_void", "POST", ["v1", "sales", uid, "void", "slip", "print"], {
      query: { language: options.language },
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The slip of a return: text, PNG, printer bytes, blocks, or Frontol's blocks.
   * @param {string} uid
   * @param {CallOptions & {format?: "text" | "json" | "png" | "escpos" | "frontol", columns?: number, language?: "ru" |
   *   "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<string | SlipBlocks | Uint8Array | any>}
   */
  returnSlip(uid, options = {}) {
    return this._call("return_slip", "GET", ["v1", "returns", uid, "slip"], {
      query: { format: options.format, columns: options.columns, language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Print the slip of a return again, marked as a copy.
   * @param {string} uid
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<SlipState>}
   */
  printReturn(uid, options = {}) {
    return this._call("print_return", "POST", ["v1", "returns", uid, "slip", "print"], {
      query: { language: options.language },
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Print a test slip: letters of every language, the code page, the width, a QR code to read back.
   * @param {string} printer
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<TrialPrint>}
   */
  tryPrinter(printer, options = {}) {
    return this._call("try_printer", "POST", ["v1", "printers", printer, "test"], {
      query: { language: options.language },
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Print a slip for the store itself; nothing of it is kept once it is printed.
   * @param {string} printer
   * @param {NotePrint} body
   * @param {CallOptions} [options]
   * @returns {Promise<TrialPrint>}
   */
  printNote(printer, body, options = {}) {
    return this._call("print_note", "POST", ["v1", "printers", printer, "note"], {
      body,
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * What became of a test slip.
   * @param {string} job
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<TrialPrint>}
   */
  tried(job, options = {}) {
    return this._call("tried", "GET", ["v1", "prints", job], {
      query: { language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Take in the configuration file as it is now: all that needs no restart, or, where it is bad, nothing.
   * @param {CallOptions} [options]
   * @returns {Promise<Reloaded>}
   */
  reload(options = {}) {
    return this._call("reload", "POST", ["v1", "admin", "reload"], {
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Frontol's sales reports: how far each was read, and what became of their documents.
   * @param {CallOptions} [options]
   * @returns {Promise<Reports>}
   */
  reports(options = {}) {
    return this._call("reports", "GET", ["v1", "frontol", "reports"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Documents of the reports that the journal does not have, or has otherwise.
   * @param {CallOptions & {which?: "open" | "all", limit?: number}} [options]
   * @returns {Promise<Findings>}
   */
  findings(options = {}) {
    return this._call("findings", "GET", ["v1", "frontol", "findings"], {
      query: { which: options.which, limit: options.limit },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Journal the document of a finding, under its own uid: once, however often it is asked for.
   * @param {string} finding
   * @param {CallOptions} [options]
   * @returns {Promise<Decided>}
   */
  acceptFinding(finding, options = {}) {
    return this._call("accept_finding", "POST", ["v1", "frontol", "findings", finding, "accept"], {
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * A person has seen the finding, and nothing is to be done.
   * @param {string} finding
   * @param {CallOptions} [options]
   * @returns {Promise<Decided>}
   */
  dismissFinding(finding, options = {}) {
    return this._call("dismiss_finding", "POST", ["v1", "frontol", "findings", finding, "dismiss"], {
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * What a page must know before it shows anything; nothing personal.
   * @param {CallOptions} [options]
   * @returns {Promise<PageFacts>}
   */
  page(options = {}) {
    return this._call("page", "GET", ["v1", "page"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The sales of this till, newest first.
   * @param {CallOptions & {limit?: number, before?: number}} [options]
   * @returns {Promise<Sales>}
   */
  sales(options = {}) {
    return this._call("sales", "GET", ["v1", "sales"], {
      query: { limit: options.limit, before: options.before },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The lines of a sale of this till, and what of each may still come back.
   * @param {string} uid
   * @param {CallOptions} [options]
   * @returns {Promise<SoldLines>}
   */
  saleLines(uid, options = {}) {
    return this._call("sale_lines", "GET", ["v1", "sales", uid, "lines"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * What in cashiers' receipts of the last weeks a person should look at; nothing is ever blocked by it.
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<Flags>}
   */
  flags(options = {}) {
    return this._call("flags", "GET", ["v1", "flags"], {
      query: { language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The newest lines of the agent's log, cleaned as the log itself is.
   * @param {CallOptions & {after?: number, limit?: number}} [options]
   * @returns {Promise<LogTail>}
   */
  logs(options = {}) {
    return this._call("logs", "GET", ["v1", "logs"], {
      query: { after: options.after, limit: options.limit },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * A one-time code by which a browser of this machine is made known.
   * @param {PairingCodeRequest} body
   * @param {CallOptions} [options]
   * @returns {Promise<PairingCode>}
   */
  pairingCode(body, options = {}) {
    return this._call("pairing_code", "POST", ["v1", "pairing", "codes"], {
      body,
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Trade a one-time code for a token; for pages of the bridge itself alone.
   * @param {PairingRequest} body
   * @param {CallOptions} [options]
   * @returns {Promise<Paired>}
   */
  pair(body, options = {}) {
    return this._call("pair", "POST", ["v1", "pairing"], {
      body,
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The browsers that are known.
   * @param {CallOptions} [options]
   * @returns {Promise<Pairings>}
   */
  pairings(options = {}) {
    return this._call("pairings", "GET", ["v1", "pairings"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Forget a browser: its token is refused from now on.
   * @param {string} client
   * @param {CallOptions} [options]
   * @returns {Promise<void>}
   */
  forgetPairing(client, options = {}) {
    return this._call("forget_pairing", "DELETE", ["v1", "pairings", client], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Read the files of the clients' tokens again, after one was changed.
   * @param {CallOptions} [options]
   * @returns {Promise<TokensRead>}
   */
  readTokens(options = {}) {
    return this._call("read_tokens", "POST", ["v1", "tokens", "read"], {
      again: false,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Everything store IT needs at a glance; nothing personal.
   * @param {CallOptions & {language?: "ru" | "kk" | "ky" | "uk" | "en"}} [options]
   * @returns {Promise<Status>}
   */
  status(options = {}) {
    return this._call("status", "GET", ["v1", "status"], {
      query: { language: options.language },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * The ops of this till and what the cloud said to them.
   * @param {CallOptions & {which?: "waiting" | "newest" | "rejected" | "adjusted", limit?: number}} [options]
   * @returns {Promise<Queue>}
   */
  queue(options = {}) {
    return this._call("queue", "GET", ["v1", "queue"], {
      query: { which: options.which, limit: options.limit },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * One op with its body.
   * @param {string} seq
   * @param {CallOptions & {epoch?: number}} [options]
   * @returns {Promise<QueuedOpBody>}
   */
  queued(seq, options = {}) {
    return this._call("queued", "GET", ["v1", "queue", seq], {
      query: { epoch: options.epoch },
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * How the exchange with the cloud stands.
   * @param {CallOptions} [options]
   * @returns {Promise<SyncStatus>}
   */
  sync(options = {}) {
    return this._call("sync", "GET", ["v1", "sync"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * Exchange with the cloud now; answers with how it went.
   * @param {CallOptions} [options]
   * @returns {Promise<SyncStatus>}
   */
  syncNow(options = {}) {
    return this._call("sync_now", "POST", ["v1", "sync"], {
      again: true,
      timeoutMs: SLOW_MS,
      options,
    });
  }

  /**
   * The process answers.
   * @param {CallOptions} [options]
   * @returns {Promise<Live>}
   */
  livez(options = {}) {
    return this._call("livez", "GET", ["livez"], {
      again: true,
      timeoutMs: QUICK_MS,
      options,
    });
  }

  /**
   * Whether sales are taken.
   * @param {CallOptions} [options]
   * @returns {Promise<Ready>}
   */
  readyz(options = {}) {
    return this._call("readyz", "GET", ["readyz"], {
      again: true,
      timeoutMs: QUICK_MS,
      also: [503],
      options,
    });
  }

  /**
   * Figures for Prometheus.
   * @param {CallOptions} [options]
   * @returns {Promise<string>}
   */
  metrics(options = {}) {
    return this._call("metrics", "GET", ["metrics"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }

  /**
   * This description.
   * @param {CallOptions} [options]
   * @returns {Promise<Object<string, any>>}
   */
  openapi(options = {}) {
    return this._call("openapi", "GET", ["openapi.json"], {
      again: true,
      timeoutMs: USUAL_MS,
      options,
    });
  }
  // </calls>

  /**
   * Scans, device states, sync and alerts as they happen. Comes back after each break, from the event that was last
   * seen, until `signal` is aborted or the loop is left; throws `Problem` when the agent refuses for good.
   * `onState` is told "open" and "lost".
   * @param {{lastEventId?: string, signal?: AbortSignal, onState?: (state: "open" | "lost") => void,
   *   idleMs?: number}} [options]
   * @returns {AsyncGenerator<TillEvent, void, void>}
   */
  async *events({ lastEventId = "", signal, onState = () => {}, idleMs = EVENTS_IDLE_MS } = {}) {
    let last = lastEventId;
    let failures = 0;
    let retryMs = EVENTS_PAUSE_MS;
    while (!signal?.aborted) {
      const watch = new Watch(signal, EVENTS_CONNECT_MS);
      let opened = false;
      let askedMs = 0;
      try {
        const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
        const answer = await this._send("events", "GET", "/v1/events", headers, undefined, watch);
        if (!answer.ok) throw await refusal("events", answer);
        opened = true;
        failures = 0;
        onState("open");
        for await (const found of readEvents(answer.body, () => watch.wait(idleMs))) {
          if (found.retryMs) retryMs = found.retryMs;
          if (found.id) last = found.id;
          if (found.event) yield { id: last, event: found.event, data: found.data };
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof Problem && error.status && !error.retryable && error.status < 500) throw error;
        askedMs = error instanceof Problem ? error.retryAfterMs : 0;
      } finally {
        watch.end(); // hangs up, also when the loop is left in the middle
        if (opened) onState("lost");
      }
      const pauseMs = Math.min(retryMs * 2 ** failures, EVENTS_LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      failures = Math.min(failures + 1, 10);
      if (!(await pause(Math.max(pauseMs, askedMs), signal))) return;
    }
  }

  /**
   * Waits until the agent takes sales, and gives what it says of itself; throws the last `Problem` after `patienceMs`.
   * @param {{signal?: AbortSignal, patienceMs?: number}} [options]
   * @returns {Promise<Ready>}
   */
  async waitReady({ signal, patienceMs = 30000 } = {}) {
    const until = Date.now() + patienceMs;
    for (;;) {
      let problem;
      try {
        const found = await this.readyz({ signal, patienceMs: 0, timeoutMs: Math.max(until - Date.now(), 1) });
        if (found.ready) return found;
        problem = notReady(found);
      } catch (error) {
        if (!(error instanceof Problem) || (error.status && error.status < 500)) throw error;
        problem = error;
      }
      if (Date.now() + PAUSES_MS[0] > until) throw problem;
      if (!(await pause(PAUSES_MS[0], signal))) throw signal?.reason;
    }
  }

  /**
   * @param {string} operation
   * @param {string} method
   * @param {string[]} path
   * @param {{body?: any, query?: Object<string, any>, again: boolean, timeoutMs: number, also?: number[],
   *   options: CallOptions}} call
   */
  async _call(operation, method, path, { body, query = {}, again, timeoutMs, also = [], options }) {
    const target = address(operation, path, query);
    // Encoded once: a repetition is the same bytes.
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const headers = sent === undefined ? {} : { "Content-Type": "application/json" };
    const attemptMs = options.timeoutMs ?? this.timeoutMs ?? timeoutMs;
    const patienceMs = options.patienceMs ?? this.patienceMs ?? 2 * attemptMs;
    const until = Date.now() + Math.max(patienceMs, attemptMs);
    for (let attempt = 0; ; attempt++) {
      const watch = new Watch(options.signal, Math.min(attemptMs, Math.max(until - Date.now(), 1)));
      let problem;
      try {
        const answer = await this._send(operation, method, target, headers, sent, watch);
        if (answer.ok || also.includes(answer.status)) return await content(operation, answer);
        problem = await refusal(operation, answer);
      } catch (error) {
        if (options.signal?.aborted) throw options.signal.reason;
        problem = error instanceof Problem ? error : noAnswer(operation, watch, error);
      } finally {
        watch.end();
      }
      const told = problem.retryable && problem.retryAfterMs > 0;
      const pauseMs = told ? problem.retryAfterMs : PAUSES_MS[attempt] ?? Infinity;
      const mayRepeat = told || (again && problem.lost);
      if (!patienceMs || !mayRepeat || attempt >= PAUSES_MS.length || Date.now() + pauseMs >= until) throw problem;
      if (!(await pause(pauseMs, options.signal))) throw options.signal?.reason;
    }
  }

  async _send(operation, method, target, headers, body, watch) {
    const token = typeof this.token === "function" ? this.token() : this.token;
    const all = { "X-Tillside-Client": this.client, ...headers };
    if (token) all.Authorization = `Bearer ${token}`;
    try {
      return await this._fetch(this.url + target, {
        method,
        headers: all,
        body,
        signal: watch.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
    } catch (error) {
      throw noAnswer(operation, watch, error);
    }
  }
}

/** One attempt's time limit and the caller's own signal, as one signal. */
class Watch {
  constructor(signal, timeoutMs) {
    this._controller = new AbortController();
    this._outer = signal;
    this._hangUp = () => this._controller.abort(signal?.reason);
    this.timedOut = false;
    this._timer = undefined;
    if (signal?.aborted) this._hangUp();
    signal?.addEventListener("abort", this._hangUp);
    this.wait(timeoutMs);
  }

  get signal() {
    return this._controller.signal;
  }

  /** Begin to count anew. */
  wait(timeoutMs) {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      this.timedOut = true;
      this._controller.abort();
    }, timeoutMs);
  }

  end() {
    clearTimeout(this._timer);
    this._outer?.removeEventListener("abort", this._hangUp);
    this._controller.abort();
  }
}

function address(operation, path, query) {
  const parts = path.map((part) => {
    const text = String(part);
    // Dots alone would be taken for a place in the path, by whatever carries it.
    if (text === "" || text === "." || text === "..") {
      throw new TypeError(`${operation}: expected a part of the path, not ${JSON.stringify(text)}`);
    }
    return encodeURIComponent(text);
  });
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = asked.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
  return "/" + parts.join("/") + (search ? "?" + search : "");
}

function noAnswer(operation, watch, cause) {
  const [code, detail] = watch.timedOut
    ? ["timed_out", "the agent gave no answer in time"]
    : ["unreachable", "no agent answers"];
  return new Problem({ operation, status: 0, code, detail, retryable: true, lost: true, cause });
}

function notReady(found) {
  const detail = "the agent takes no sales yet";
  return new Problem({ operation: "readyz", status: 503, code: found.reason || "not_ready", detail, retryable: true });
}

async function content(operation, answer) {
  if (answer.status === 204) return undefined;
  const media = (answer.headers.get("Content-Type") ?? "").split(";")[0];
  if (media.startsWith("text/")) return await answer.text();
  if (media !== "application/json" && !media.endsWith("+json")) return new Uint8Array(await answer.arrayBuffer());
  return parsed(operation, answer.status, await answer.text());
}

async function refusal(operation, answer) {
  const status = answer.status;
  const said = parsed(operation, status, await answer.text());
  const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  return new Problem({
    operation,
    status,
    code: typeof said.code === "string" ? said.code : "answer_malformed",
    detail: said.detail ?? `status ${status}`,
    retryable: said.retryable === true,
    cashier: said.cashier,
    pointer: said.pointer,
    retryAfterMs: said.retry_after_ms ?? (seconds > 0 ? seconds * 1000 : 0),
    // A mistake inside the agent says nothing of what was done before it.
    lost: status >= 500 && status !== 503 && status !== 501,
    extras: said,
  });
}

function parsed(operation, status, text) {
  try {
    const found = JSON.parse(text);
    if (typeof found === "object" && found !== null) return found;
  } catch {
    // Told below: it is no JSON either.
  }
  const detail = `expected JSON of the agent, not what came with status ${status}`;
  throw new Problem({ operation, status, code: "answer_malformed", detail, lost: status >= 500 });
}

/** Server-sent events of a stream: `{id, event, data, retryMs}`, as much as is there of each. */
async function* readEvents(stream, heard) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let found = { data: "" };
  try {
    for (;;) {
      heard();
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      if (rest.length > EVENT_LIMIT) throw new RangeError(`expected an event of at most ${EVENT_LIMIT} characters`);
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line !== "") {
          field(found, line);
          continue;
        }
        if (found.data) yield { ...found, event: found.event ?? "message", data: JSON.parse(found.data) };
        else if (found.retryMs) yield { retryMs: found.retryMs };
        found = { data: "" };
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it may have failed already, which is why we are here
  }
}

function field(found, line) {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "id") found.id = value;
  else if (name === "event") found.event = value;
  else if (name === "retry" && /^\d+$/.test(value)) found.retryMs = Number(value);
  else if (name === "data") found.data += (found.data ? "\n" : "") + value;
}

/** Waits; false when the signal ended it. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(false);
    const stop = () => end(false);
    const timer = setTimeout(() => end(true), ms);
    const end = (whole) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      resolve(whole);
    };
    signal?.addEventListener("abort", stop);
  });
}

// <types> made by `make reference` from docs/reference/openapi.json
/**
 * Points that one rule gave to one line, from which base; until when they live, and who pays for which share.
 *
 * `active_from` and `expires_on` are dates of the store, both days included; empty: at once, never.
 * @typedef {object} Accrual
 * @property {string} rule
 * @property {number} line
 * @property {number} base_minor
 * @property {number} points
 * @property {string} [active_from]
 * @property {string} [expires_on]
 * @property {string} [supplier]
 * @property {number} [supplier_share_basis_points]
 */
/**
 * A one-dimensional code.
 * @typedef {object} Barcode
 * @property {"barcode"} type
 * @property {string} data
 * @property {"code128" | "ean13"} [symbology]
 * @property {boolean} [print_text]
 */
/**
 * An empty line.
 * @typedef {object} Break
 * @property {"br"} type
 */
/**
 * The outcome of a programme on a receipt. Every total is the exact sum of its lines.
 *
 * `redeemable_points` is the most that may be spent on this receipt; `redeemed_points` is what is being spent.
 * `coupons` are ids of the coupons that gave something, and so are used up by this sale.
 * @typedef {object} Calculation
 * @property {string} programme_id
 * @property {number} programme_version
 * @property {number} total_minor
 * @property {number} payable_minor
 * @property {LineResult[]} lines
 * @property {number} [redeemable_points]
 * @property {number} [redeemed_points]
 * @property {number} [redeemed_minor]
 * @property {number} [earned_points]
 * @property {Accrual[]} [accruals]
 * @property {Reason[]} [reasons]
 * @property {number} [discount_minor]
 * @property {DiscountGiven[]} [discounts]
 * @property {string[]} [coupons]
 */
/**
 * Give a member a card.
 * @typedef {object} CardAttach
 * @property {string} uid
 * @property {string} card
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 */
/**
 * `state`: attached (durable on this till), known (the member has this card already).
 * @typedef {object} CardAttached
 * @property {string} uid
 * @property {"attached" | "known"} state
 * @property {Member} member
 * @property {string} [op]
 * @property {Message[]} [messages]
 */
/**
 * How the code stands, and what to tell the cashier.
 * @typedef {object} CodeAnswer
 * @property {CodeState} confirmation
 * @property {Message[]} [messages]
 */
/**
 * Have a code sent to a member who wants to spend much, then hand in what they say under the same `uid`.
 *
 * `phone` is the member's own, since nobody keeps it. The answer's `confirmation` goes into the hold.
 * @typedef {object} CodeRequest
 * @property {string} uid
 * @property {Identify} member
 * @property {string} phone
 * @property {string} [code]
 * @property {number} [attempt]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 */
/**
 * How a one-time code stands. `not_sent`: none went out. Raise `attempt` to have another one sent.
 * @typedef {object} CodeState
 * @property {string} confirmation
 * @property {"confirmed" | "expired" | "not_sent" | "sent" | "spent"} state
 * @property {number} [tries_left]
 * @property {number} [expires_in_ms]
 */
/**
 * The person agreed to the text of that version, as it was answered.
 * @typedef {object} ConsentGiven
 * @property {string} version
 * @property {boolean} given
 */
/**
 * What to read to the person, or to let them read.
 * @typedef {object} ConsentText
 * @property {string} version
 * @property {string} text
 */
/**
 * Whether a code is good here and now, and for this member; `reason` "" when it is, else a stable code.
 *
 * `checked`: the cloud was asked how often a code of limited use was used already.
 * @typedef {object} Coupon
 * @property {string} code
 * @property {boolean} usable
 * @property {string} reason
 * @property {boolean} checked
 * @property {boolean} offline
 * @property {string} [coupon]
 * @property {string} [title]
 * @property {string} [valid_to]
 * @property {Message[]} [messages]
 */
/**
 * End of the slip.
 * @typedef {object} Cut
 * @property {"cut"} type
 */
/**
 * A finding after the decision.
 * @typedef {object} Decided
 * @property {Finding} finding
 */
/**
 * Money that one rule took off one line, from which price, and who pays for which share.
 * @typedef {object} DiscountGiven
 * @property {string} rule
 * @property {number} line
 * @property {number} base_minor
 * @property {number} amount_minor
 * @property {string} [supplier]
 * @property {number} [supplier_share_basis_points]
 */
/**
 * A discount of the quote that the cash software took off a line; a row of `calculation.discounts` will do.
 * @typedef {object} DiscountTaken
 * @property {string} rule
 * @property {number} line
 * @property {number} amount_minor
 * @property {string} [supplier]
 * @property {number} [supplier_share_basis_points]
 */
/**
 * @typedef {object} Expiring
 * @property {number} points
 * @property {number} at_ms
 */
/**
 * One thing that a calculation did, or did not do. `line` 0: the whole receipt. `text`: for people.
 *
 * `rule`: id of the rule, exclusion or coupon. `base_minor`: the money that the rule looked at. `points` (minor) were
 * given or spent; `amount_minor` is the money taken off or paid by points. `rounding` is empty where nothing is
 * rounded; `round_at` says whether once a receipt or on each line. `trims`: what limits cut from the rule. `code`: the
 * reason's, of kinds trim, refusal, exclusion, whose figures are in `numbers`.
 * @typedef {object} Explained
 * @property {number} line
 * @property {"accrual" | "discount" | "exclusion" | "redemption" | "refusal" | "trim"} kind
 * @property {string} text
 * @property {string} [rule]
 * @property {number} [base_minor]
 * @property {number} [points]
 * @property {number} [amount_minor]
 * @property {string} [rounding]
 * @property {string} [round_at]
 * @property {Trim[]} [trims]
 * @property {string} [code]
 * @property {Object<string, number>} [numbers]
 */
/**
 * A document that the journal did not have, or has otherwise. `finding` says which; see docs/reference/frontol.md.
 *
 * `document` is `till/shift/number`. `points`: what was journalled from it. `sale_uid`: the journal's document that it
 * belongs to, where one is known. `acceptable`: `accept` would journal it.
 * @typedef {object} Finding
 * @property {number} id
 * @property {string} finding
 * @property {"accrued" | "accruing" | "dismissed" | "found" | "withdrawn"} state
 * @property {"cancel" | "return" | "sale"} kind
 * @property {string} uid
 * @property {string} document
 * @property {string} local_time
 * @property {number} total_minor
 * @property {number} points
 * @property {string} reference
 * @property {string} sale_uid
 * @property {string} detail
 * @property {string} path
 * @property {number} line
 * @property {boolean} acceptable
 */
/**
 * Newest first; `open`: how many wait for a person in all.
 * @typedef {object} Findings
 * @property {number} open
 * @property {Finding[]} findings
 */
/**
 * What in a cashier's receipts with one member's card a person should look at. It blocks and accuses nobody.
 *
 * `sales`: uids of the newest of these `receipts`, newest first; `first_ms` and `last_ms` are when they were made.
 * @typedef {object} Flag
 * @property {string} cashier
 * @property {string} reference
 * @property {FlagSignal[]} signals
 * @property {number} receipts
 * @property {string[]} sales
 * @property {number} first_ms
 * @property {number} last_ms
 */
/**
 * One mark: `count` of it, `of` what it is a part of (0: of nothing); `text` says it in words.
 * @typedef {object} FlagSignal
 * @property {"close_together" | "late_member" | "many_a_day" | "mostly_one_cashier" | "return_after_earn" |
 *   "typed_cards"} code
 * @property {number} count
 * @property {number} of
 * @property {string} text
 */
/**
 * Of the last `days`, at this till; the newest first. `count`: of all, when not all are here.
 * @typedef {object} Flags
 * @property {Flag[]} flags
 * @property {number} count
 * @property {number} days
 */
/**
 * Somebody whom the cashier may mean; `reference` is for `POST /v1/identify`.
 * @typedef {object} FoundMember
 * @property {string} reference
 * @property {string} status
 * @property {number} balance_points
 * @property {string} [tier]
 * @property {string} [tier_title]
 * @property {string} [name_masked]
 * @property {string} [phone_masked]
 * @property {string} [card_masked]
 */
/**
 * A problem that came up, and when it was over; `until_ms` 0: it is there now.
 * @typedef {object} Happened
 * @property {string} code
 * @property {string} text
 * @property {"error" | "info" | "warning"} level
 * @property {number} at_ms
 * @property {number} [until_ms]
 */
/**
 * One device: state by the table in docs/reference/devices.md, and what to do about it.
 * @typedef {object} Health
 * @property {string} device
 * @property {"printer" | "scanner"} role
 * @property {string} state
 * @property {string} [detail]
 * @property {number} [since_ms]
 * @property {string} [fix]
 */
/**
 * @typedef {object} Hold
 * @property {string} hold
 * @property {number} points
 * @property {number} expires_in_ms
 */
/**
 * Reserve points for one receipt; `ttl_ms` by the cloud's clock, or by this till's when it can do so itself.
 * @typedef {object} HoldCreate
 * @property {string} sale_uid
 * @property {Identify} member
 * @property {number} points
 * @property {number} [ttl_ms]
 * @property {string} [confirmation]
 * @property {string} [pin]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 */
/**
 * Exactly one of these: a `reference` from an earlier answer, or what was scanned or keyed.
 * @typedef {object} Identify
 * @property {string | null} [reference]
 * @property {string | null} [card]
 * @property {string | null} [phone]
 * @property {string | null} [scan]
 * @property {string | null} [code]
 */
/**
 * A picture of the shop's own, by its name in the printer's settings; where there is none, nothing is printed.
 * @typedef {object} Image
 * @property {"image"} type
 * @property {string} [name]
 */
/**
 * One position. `amount_minor` is the line's total after the cash software's own discounts, before points.
 *
 * `minimum_price_minor` is the least the whole line may cost after points (0: the programme's own minimum holds).
 * @typedef {object} Line
 * @property {number} number
 * @property {string} sku
 * @property {number} amount_minor
 * @property {number} [quantity_thousandths]
 * @property {string} [name]
 * @property {string[]} [category]
 * @property {number} [minimum_price_minor]
 * @property {string} [brand]
 * @property {string[]} [labels]
 * @property {string} [supplier]
 */
/**
 * One line after the rules: money, but for earned_points and redeemed_points.
 *
 * payable_minor = amount_minor - discount_minor - paid_by_points_minor.
 * @typedef {object} LineResult
 * @property {number} number
 * @property {number} amount_minor
 * @property {number} quantity_thousandths
 * @property {number} payable_minor
 * @property {number} [paid_by_points_minor]
 * @property {number} [redeemed_points]
 * @property {number} [earned_points]
 * @property {number} [discount_minor]
 */
/**
 * The process answers.
 * @typedef {object} Live
 * @property {boolean} [live]
 */
/**
 * One record of the agent's log, cleaned of numbers and tokens as the log itself is.
 * @typedef {object} LogLine
 * @property {number} seq
 * @property {number} at_ms
 * @property {"debug" | "error" | "info" | "warning"} level
 * @property {string} logger
 * @property {string} message
 * @property {Object<string, string>} [fields]
 */
/**
 * Oldest first. `dropped`: lines since `after` that are kept no more.
 * @typedef {object} LogTail
 * @property {LogLine[]} lines
 * @property {number} [dropped]
 */
/**
 * A member as this till may show them. `unconfirmed_points` is the part of the balance the cloud has not confirmed.
 *
 * `known` is false when only an identifier is known: sales accrue to it, and the cloud sorts out whose it is.
 * @typedef {object} Member
 * @property {string} reference
 * @property {boolean} known
 * @property {"active" | "blocked" | "provisional" | "unknown"} status
 * @property {number} balance_points
 * @property {number} spendable_points
 * @property {number} unconfirmed_points
 * @property {string} spendable_reason
 * @property {number} as_of_ms
 * @property {boolean} offline
 * @property {string} [tier]
 * @property {string} [name_masked]
 * @property {string} [phone_masked]
 * @property {string} [card_masked]
 * @property {string} [language]
 * @property {Expiring | null} [expiring]
 * @property {Message[]} [messages]
 * @property {number} [inactive_points]
 * @property {Offered[]} [offers]
 * @property {string} [tier_title]
 * @property {string} [spendable_text]
 */
/**
 * Register a person. The same `uid` goes through all steps; what was answered as needed is added to the request.
 *
 * `code` is what the person says they got; `without_code` goes on without one. Neither they, nor `attempt` and
 * `language` (the cashier's), are part of what is registered. `member_language`: the one to write to the member in.
 * @typedef {object} MemberCreate
 * @property {string} uid
 * @property {string | null} [phone]
 * @property {string | null} [card]
 * @property {string} [name]
 * @property {string} [birth_date]
 * @property {"" | "female" | "male"} [sex]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [member_language]
 * @property {string} [referrer]
 * @property {ConsentGiven | null} [consent]
 * @property {string} [code]
 * @property {number} [attempt]
 * @property {boolean} [without_code]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 */
/**
 * `state`: needs (the same request again, with what `needs` names), registered (durable on this till), known.
 *
 * `ask`: what else the chain would like to know of a new member. `op` is the operation of a registration.
 * @typedef {object} MemberCreated
 * @property {string} uid
 * @property {"known" | "needs" | "registered"} state
 * @property {("code" | "consent" | "phone")[]} [needs]
 * @property {string[]} [ask]
 * @property {ConsentText | null} [consent]
 * @property {CodeState | null} [confirmation]
 * @property {Member | null} [member]
 * @property {string} [op]
 * @property {Message[]} [messages]
 */
/**
 * At most as many as were asked for; `more`: there are others, so a longer query helps.
 *
 * `partial`: the till is still making its index of members, so there may be others: ask again in a minute.
 * @typedef {object} MembersFound
 * @property {FoundMember[]} members
 * @property {boolean} [more]
 * @property {boolean} [partial]
 */
/**
 * A sentence for the cashier in the till's language; `code` is stable.
 * @typedef {object} Message
 * @property {string} code
 * @property {string} text
 * @property {"error" | "info" | "warning"} [level]
 */
/**
 * A slip for the store itself, such as the certificate of `tillside ready`.
 * @typedef {object} NotePrint
 * @property {(Text | Pair | Rule | Cut)[]} blocks
 */
/**
 * A coupon that the member holds and may use; `valid_to` is the first day that it is good no more, "" for none.
 * @typedef {object} Offered
 * @property {string} coupon
 * @property {string} title
 * @property {string} [valid_to]
 */
/**
 * What a page must know before it shows anything; nothing personal.
 *
 * `currency_exponent`, `points_exponent`: digits after the point in amounts and points. `sell`: sales by a receipt's
 * total may be made here. `scopes`: of the caller.
 * @typedef {object} PageFacts
 * @property {string} version
 * @property {"en" | "kk" | "ky" | "ru" | "uk"} language
 * @property {string} till
 * @property {string} store
 * @property {string} store_name
 * @property {string} time_zone
 * @property {string} currency
 * @property {number} currency_exponent
 * @property {number} points_exponent
 * @property {number} point_value_minor
 * @property {string} programme
 * @property {string} country
 * @property {boolean} sell
 * @property {string[]} scopes
 */
/**
 * Left text and right text on one line, the gap filled with `separator`.
 * @typedef {object} Pair
 * @property {"pair"} type
 * @property {string} left
 * @property {string} right
 * @property {string} [separator]
 * @property {boolean} [bold]
 */
/**
 * The token of this browser, told once; the agent keeps its hash.
 * @typedef {object} Paired
 * @property {string} client
 * @property {string} token
 * @property {"panel" | "status"} page
 * @property {string[]} scopes
 */
/**
 * A browser that is known: as what, since when, and when it last called since the agent started (0: not yet).
 * @typedef {object} Pairing
 * @property {string} client
 * @property {"panel" | "status"} page
 * @property {number} since_ms
 * @property {number} [seen_ms]
 */
/**
 * `url` opens the page and hands the code over behind `#`, which no browser sends anywhere.
 * @typedef {object} PairingCode
 * @property {"panel" | "status"} page
 * @property {string} code
 * @property {string} url
 * @property {number} expires_in_ms
 */
/**
 * A code by which a browser of this machine is made known, for one of the pages.
 * @typedef {object} PairingCodeRequest
 * @property {"panel" | "status"} page
 */
/**
 * What the page has been given by the person or by its address.
 * @typedef {object} PairingRequest
 * @property {string} code
 */
/**
 * Every browser that is known, the oldest first.
 * @typedef {object} Pairings
 * @property {Pairing[]} pairings
 */
/**
 * Money that the cash software took, by kind (cash, card, other).
 * @typedef {object} Payment
 * @property {string} kind
 * @property {number} amount_minor
 */
/**
 * A QR code with a white margin of at least four modules.
 * @typedef {object} QrCode
 * @property {"qrcode"} type
 * @property {string} data
 * @property {"H" | "L" | "M" | "Q"} [correction]
 */
/**
 * How many ops wait for the cloud; then these, oldest first, or the newest of all, newest first.
 * @typedef {object} Queue
 * @property {number} waiting
 * @property {QueuedOp[]} ops
 */
/**
 * One op of the outbox or its neighbourhood.
 * @typedef {object} QueuedOp
 * @property {string} op
 * @property {string} kind
 * @property {string} uid
 * @property {number} at_wall_ms
 * @property {string} status
 * @property {string} [code]
 * @property {number} [bytes]
 */
/**
 * One op with its stored body: till_sync's op types, as the cloud gets them.
 * @typedef {object} QueuedOpBody
 * @property {QueuedOp} op
 * @property {any} body
 */
/**
 * What the receipt would give; nothing is changed by asking.
 *
 * `calculation.discounts` are for the cash software to take off and to name in the sale (`SaleRequest.discounts`).
 * @typedef {object} Quote
 * @property {Calculation} calculation
 * @property {boolean} offline
 * @property {number} as_of_ms
 * @property {string} slip_preview
 * @property {Member | null} [member]
 * @property {Message[]} [messages]
 * @property {Redeemable | null} [redeemable]
 * @property {Explained[]} [explain]
 */
/**
 * `redeem_points`: how many the member wishes to spend; -1 means as many as allowed.
 *
 * Lines are at their prices before the discounts that this programme gives. `explain` asks for every figure in words.
 * @typedef {object} QuoteRequest
 * @property {Receipt} receipt
 * @property {Identify | null} [member]
 * @property {number} [redeem_points]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 * @property {string | null} [local_time]
 * @property {boolean} [slip_preview]
 * @property {string[]} [codes]
 * @property {boolean} [explain]
 * @property {string | null} [sale_uid]
 */
/**
 * Whether the agent takes sales, and if not, the stable code of what is missing.
 * @typedef {object} Ready
 * @property {boolean} ready
 * @property {string} [reason]
 * @property {string[]} [missing]
 */
/**
 * Why a figure is what it is: a stable `code`, the rule it speaks of, and the numbers that fill its sentence.
 * @typedef {object} Reason
 * @property {string} code
 * @property {string} [rule]
 * @property {number} [line]
 * @property {Object<string, number>} [numbers]
 */
/**
 * Lines in the order of the receipt; line numbers are unique but need not be gapless.
 * @typedef {object} Receipt
 * @property {Line[]} lines
 */
/**
 * The most that may be spent on the receipt, the money that it pays, and why it is not more.
 *
 * `proof`: above `proof_above_points` the member proves who they are, in one of these ways.
 * @typedef {object} Redeemable
 * @property {number} points
 * @property {number} amount_minor
 * @property {string} [reason]
 * @property {string[]} [proof]
 * @property {number} [proof_above_points]
 */
/**
 * A row that could not be taken, by its line in the file; `code`: field_count, number, moment, text,
 * row_too_long, never_closed.
 * @typedef {object} RefusedRow
 * @property {number} line
 * @property {string} code
 * @property {string} detail
 */
/**
 * Keys are dotted; a device stands by its name (`printers.receipt`). `restart_needed` are as they were before.
 * @typedef {object} Reloaded
 * @property {string[]} applied
 * @property {string[]} restart_needed
 * @property {number} policy_version
 */
/**
 * A report and how far it was read. `state`: reading, read, unfinished (Frontol is writing), unreadable.
 *
 * `mark`: `#` Frontol waits for it to be read, `@` it was marked. `known`: documents that an earlier report had
 * already. `refused`: rows that could not be taken; `refused_rows` names the first of them.
 * @typedef {object} ReportFile
 * @property {string} path
 * @property {string} state
 * @property {string} error
 * @property {string} database
 * @property {string} report
 * @property {string} mark
 * @property {number} size_bytes
 * @property {number} read_bytes
 * @property {number} rows
 * @property {number} passed_by
 * @property {number} unknown
 * @property {number} documents
 * @property {number} known
 * @property {number} refused
 * @property {number} read_ms
 * @property {RefusedRow[]} [refused_rows]
 */
/**
 * Documents of all reports by what became of them.
 * @typedef {object} ReportTotals
 * @property {number} [waiting]
 * @property {number} [matched]
 * @property {number} [ignored]
 * @property {number} [found]
 * @property {number} [accrued]
 * @property {number} [withdrawn]
 * @property {number} [dismissed]
 */
/**
 * `watching`: the configuration names reports. `since`: the first day on which sales are looked for.
 * @typedef {object} Reports
 * @property {boolean} watching
 * @property {string} [since]
 * @property {ReportTotals} [totals]
 * @property {ReportFile[]} [files]
 */
/**
 * `amount_minor` may be left out: then it is the quantity's share of the sold line.
 * @typedef {object} ReturnLineRequest
 * @property {number} number
 * @property {number} quantity_thousandths
 * @property {number | null} [amount_minor]
 */
/**
 * Goods of sale `sale_uid` brought back; no `lines` means everything that is still there.
 *
 * The sale may be another till's: then the cloud is asked for it, and `sold_at` tells apart tills of one uid.
 * @typedef {object} ReturnRequest
 * @property {string} sale_uid
 * @property {ReturnLineRequest[]} [lines]
 * @property {string} [number]
 * @property {string} [cashier]
 * @property {SoldAt | null} [sold_at]
 * @property {boolean} [print_slip]
 */
/**
 * What a return or a void changes: the member gets `points_back` and loses `points_taken`.
 * @typedef {object} Reversal
 * @property {ReversalLine[]} lines
 * @property {number} money_back_minor
 * @property {number} points_back
 * @property {number} points_taken
 */
/**
 * One returned line: goods value, the money and the points given back, the earned points taken back.
 * @typedef {object} ReversalLine
 * @property {number} number
 * @property {number} quantity_thousandths
 * @property {number} amount_minor
 * @property {number} money_back_minor
 * @property {number} points_back
 * @property {number} points_taken
 */
/**
 * A committed void or return. `sale_op` is the sale's op at the cloud, `TILL:EPOCH:NUMBER`.
 *
 * `sale_number` is the sale's receipt number as the cash software told it, `sale_time` its time by the clock of the
 * store that sold (`YYYY-MM-DDTHH:MM:SS`; of another store's sale its date alone): people know the sale by these.
 * @typedef {object} Reversed
 * @property {string} uid
 * @property {string} sale_uid
 * @property {string} op
 * @property {Reversal} reversal
 * @property {Member | null} [member]
 * @property {number} [balance_after_points]
 * @property {Message[]} [messages]
 * @property {string} [sale_op]
 * @property {string} [sale_number]
 * @property {string} [sale_time]
 */
/**
 * A line of one symbol over the whole width.
 * @typedef {object} Rule
 * @property {"line"} type
 * @property {string} [symbol]
 */
/**
 * A committed sale: durable on this till before this answer left it.
 *
 * `kept` false: the disk takes nothing, and nothing of this sale was written. Only a sale that is nobody's, takes
 * nothing off and spends nothing is answered so: it can go on, and sent again it is written once there is room.
 * @typedef {object} Sale
 * @property {string} uid
 * @property {string} op
 * @property {Calculation} calculation
 * @property {boolean} offline
 * @property {Member | null} [member]
 * @property {number} [balance_before_points]
 * @property {number} [balance_after_points]
 * @property {Message[]} [messages]
 * @property {boolean} [kept]
 */
/**
 * Final lines and payments from the cash software: the truth. `redeem_points` needs the `hold` that covers it.
 *
 * Lines are at their prices before the discounts that this programme gave; `discounts` names those that were taken
 * off: absent, none was. The part of a payment that points made is not in `payments`.
 * @typedef {object} SaleRequest
 * @property {Receipt} receipt
 * @property {Identify | null} [member]
 * @property {number} [redeem_points]
 * @property {string} [hold]
 * @property {Payment[]} [payments]
 * @property {string} [number]
 * @property {string} [shift]
 * @property {string} [cashier]
 * @property {string | null} [local_time]
 * @property {boolean} [print_slip]
 * @property {"en" | "kk" | "ky" | "ru" | "uk" | null} [language]
 * @property {DiscountTaken[]} [discounts]
 * @property {string[]} [codes]
 * @property {"" | "keyed" | "scanned" | "typed"} [entry]
 * @property {boolean} [late]
 */
/**
 * A sale of this till in a few words. `cursor` is its place: `before` of the next page.
 *
 * `total_minor` is before the programme's discounts; less `discount_minor` it is what the receipt says.
 * @typedef {object} SaleRow
 * @property {string} uid
 * @property {number} cursor
 * @property {number} at_ms
 * @property {string} local_time
 * @property {string} number
 * @property {string} cashier
 * @property {number} total_minor
 * @property {number} redeemed_points
 * @property {number} earned_points
 * @property {"committed" | "returned" | "returned_in_part" | "voided"} state
 * @property {"adjusted" | "applied" | "rejected" | "waiting"} sync
 * @property {string} slip
 * @property {boolean} member
 * @property {string} [name_masked]
 * @property {string} [phone_masked]
 * @property {string} [card_masked]
 * @property {number} [discount_minor]
 */
/**
 * A sale as it stands: its first answer, what happened to it since, and what the cloud said.
 * @typedef {object} SaleView
 * @property {Sale} sale
 * @property {"committed" | "returned" | "returned_in_part" | "voided"} state
 * @property {"adjusted" | "applied" | "rejected" | "waiting"} sync
 * @property {string} sync_code
 * @property {Reversal[]} returned
 * @property {SlipState} slip
 */
/**
 * Newest first; `before` asks for the next page, 0 when this was the last.
 * @typedef {object} Sales
 * @property {SaleRow[]} sales
 * @property {number} [before]
 */
/**
 * A scan as told to the cash software: what it resolved to, never the raw payload in logs.
 *
 * `gs1`: its GS1 element strings by application identifier (`{"01": "04600000000015", "3103": "001250"}`), if it has
 * any; `text` is all of it, as scanned.
 * @typedef {object} ScanEvent
 * @property {string} device
 * @property {number} seq
 * @property {string} text
 * @property {string} symbology
 * @property {"card" | "goods" | "phone" | "unknown" | "voucher"} kind
 * @property {Member | null} [member]
 * @property {Object<string, string> | null} [gs1]
 */
/**
 * A slip before any printer is known.
 * @typedef {object} SlipBlocks
 * @property {(Text | Pair | Rule | Break | Image | QrCode | Barcode | Cut)[]} blocks
 */
/**
 * `state`: none (no printer or not asked for), queued, printed, accepted, refused, unknown.
 * @typedef {object} SlipState
 * @property {"accepted" | "none" | "printed" | "printing" | "queued" | "refused" | "unknown"} state
 * @property {string} [printer]
 */
/**
 * Where and when the goods were sold, as far as it stands on the receipt; "" for what is not known.
 *
 * `number` is the receipt's as the sale named it, `date` its business date. With another till's `till`, its sale is
 * meant even where this till has one of the same uid.
 * @typedef {object} SoldAt
 * @property {string} [till]
 * @property {string} [store]
 * @property {string} [number]
 * @property {string} [date]
 */
/**
 * A line of a sale and what of it may still come back.
 * @typedef {object} SoldLine
 * @property {number} number
 * @property {string} code
 * @property {string} name
 * @property {number} quantity_thousandths
 * @property {number} amount_minor
 * @property {number} left_thousandths
 * @property {number} left_minor
 */
/**
 * The lines of a sale in its own order. `state`: as of `SaleView`.
 * @typedef {object} SoldLines
 * @property {string} uid
 * @property {SoldLine[]} lines
 * @property {"committed" | "returned" | "returned_in_part" | "voided"} state
 */
/**
 * Everything store IT needs at a glance; nothing personal.
 * @typedef {object} Status
 * @property {string} version
 * @property {string} till
 * @property {string} store
 * @property {number} started_ms
 * @property {number} now_ms
 * @property {boolean} ready
 * @property {Message[]} problems
 * @property {string} programme
 * @property {number} members_cached
 * @property {number} cache_as_of_ms
 * @property {number | null} clock_skew_ms
 * @property {SyncStatus} sync
 * @property {Health[]} devices
 * @property {number} prints_waiting
 * @property {number} [grants]
 * @property {number} [granted_points]
 * @property {number} [floor_spent_points]
 * @property {number} [floor_limit_points]
 * @property {number} [disk_free_bytes]
 * @property {number} [disk_total_bytes]
 * @property {Happened[]} [recent]
 * @property {number} [receipt_open_ms]
 */
/**
 * @typedef {object} SyncStatus
 * @property {boolean} online
 * @property {boolean} enrolled
 * @property {number} waiting
 * @property {number} oldest_waiting_ms
 * @property {number} acked_seq
 * @property {number} last_seq
 * @property {number} last_push_ms
 * @property {number} last_pull_ms
 * @property {string} last_error
 * @property {number} pushed
 * @property {number} resent
 * @property {number} adjusted
 * @property {number} rejected
 * @property {string} [halted]
 * @property {boolean} [loading]
 * @property {number} [members]
 * @property {number} [snapshot_bytes]
 * @property {number} [fetched_bytes]
 * @property {number} [divergences]
 * @property {number} [retry_in_ms]
 */
/**
 * A paragraph, wrapped at words.
 * @typedef {object} Text
 * @property {"text"} type
 * @property {string} text
 * @property {"center" | "left" | "right"} [align]
 * @property {boolean} [bold]
 * @property {boolean} [double]
 */
/**
 * Whose tokens count now, and how many that were replaced go on beside them.
 * @typedef {object} TokensRead
 * @property {string[]} clients
 * @property {number} earlier
 */
/**
 * A test slip: `job` is asked about with `GET /v1/prints/{job}`; `code` is the text of its QR code.
 *
 * `state` is as of any slip; `refused` without a job: the printer takes none now, `detail` says why.
 * @typedef {object} TrialPrint
 * @property {string} printer
 * @property {"accepted" | "printed" | "printing" | "queued" | "refused" | "unknown"} state
 * @property {string} [detail]
 * @property {string} [job]
 * @property {string} [code]
 */
/**
 * What a limit (by its reason's `code`) took away: minor points, or minor money of a discount.
 * @typedef {object} Trim
 * @property {string} code
 * @property {number} would
 * @property {number} given
 */
// </types>
