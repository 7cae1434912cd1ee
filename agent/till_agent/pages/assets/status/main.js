// The page for store IT: asks the agent how it is, listens to what happens, and shows both.

import { Problem, Till } from "../client/tillside.js";
import { h, fill } from "../common/dom.js";
import { CLIENT, enter } from "../common/session.js";
import { every, follow } from "../common/stream.js";
import { keepLanguage, loadWords, pickedLanguage } from "../common/words.js";
import { Screen } from "./screen.js";

const PAGE = "status";
const LOOK_MS = 4_000;
const AWAY_LOOK_MS = 1_500;
const LOG_MS = 2_500;
// Events come in bursts: a queue that empties tells many. One look answers all of them.
const GATHER_MS = 150;

// One life of the page with one token and one language; gives what the next one begins with.
async function live({ host, token, language }) {
  const till = new Till({ url: "", token, client: CLIENT });
  const facts = await ask(host, () => till.page({ patienceMs: 0 }));
  if (facts.reason) {
    return facts;
  }
  const picked = pickedLanguage(facts.language);
  const words = await ask(host, () => loadWords(PAGE, picked));
  document.documentElement.lang = picked;

  return new Promise((resolve) => {
    const parts = [];
    function end(next) {
      for (const part of parts) {
        part.close();
      }
      resolve({ token, language: picked, ...next });
    }
    const screen = new Screen({
      words,
      facts,
      till,
      onLanguage: (code) => {
        keepLanguage(code);
        end({ language: code, focus: "language" });
      },
      onNews: () => soon(),
    });
    fill(host, screen.root);

    // Only silence is told as silence: an agent that refuses something answers.
    async function guarded(work, tell, tellRefusal = () => {}) {
      try {
        tell(await work());
      } catch (problem) {
        if (!(problem instanceof Problem)) {
          throw problem;
        }
        if (refused(problem)) {
          end({ token: "", reason: "unknown" });
        } else if (problem.status === 0) {
          screen.away();
        } else {
          tellRefusal(problem);
        }
      }
    }

    const looks = every(
      () => (screen.isAway ? AWAY_LOOK_MS : LOOK_MS),
      () => guarded(() => till.status({ language: picked, patienceMs: 0 }), (status) => screen.took(status)),
    );
    const ops = every(
      () => LOOK_MS,
      () => {
        const { operations } = screen;
        return guarded(
          () => operations.ask(),
          (answer) => operations.took(answer),
          (problem) => operations.refused(problem),
        );
      },
    );
    const logs = every(
      () => LOG_MS,
      () => guarded(() => screen.log.ask(), (tail) => screen.log.took(tail)),
    );
    screen.operations.onWish = ops.now;
    let timer = 0;
    function soon() {
      clearTimeout(timer);
      timer = setTimeout(() => [looks, ops].forEach((each) => each.now()), GATHER_MS);
    }
    const events = follow({
      till,
      onEvent: (name, data) => {
        if (name === "scan") {
          screen.scanned(data);
        } else {
          soon();
        }
      },
      onState: (state, problem) => {
        if (state === "refused" && refused(problem)) {
          end({ token: "", reason: "unknown" });
          return;
        }
        screen.streaming(state === "live");
        soon();
      },
    });
    parts.push(looks, ops, logs, events, { close: () => clearTimeout(timer) }, screen);
  });
}

function refused(problem) {
  return problem.status === 401 || problem.code === "scope_missing";
}

// Asks until there is an answer: what was loaded from the agent a moment ago can be asked again in a moment.
async function ask(host, work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Problem && refused(error)) {
        return { reason: "unknown", token: "" };
      }
    }
    if (!host.hasChildNodes()) {
      fill(host, h("p.pairing", { role: "status" }, "\u2026"));
    }
    await new Promise((resolve) => setTimeout(resolve, AWAY_LOOK_MS));
  }
}

async function start() {
  const host = document.getElementById("page");
  let next = { language: pickedLanguage(""), reason: "" };
  for (;;) {
    const entered = await enter({ page: PAGE, host, language: next.language, reason: next.reason });
    next = await live({ host, ...entered });
    next.language ??= entered.language;
    next.reason ??= "";
    if (next.focus) {
      // Whoever chose a language by the keyboard stays at that list: it is there again once the next life has begun.
      queueMicrotask(() => wait(`[data-key="${next.focus}"]`));
    }
  }
}

function wait(selector) {
  const seen = new MutationObserver(() => {
    const found = document.querySelector(`${selector}:not(.gone)`);
    if (found) {
      seen.disconnect();
      found.focus();
    }
  });
  seen.observe(document.getElementById("page"), { childList: true });
}

start();
