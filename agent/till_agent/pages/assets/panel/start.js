// The panel's beginning: a token, the facts of this till, then the panel until the token is taken away.

import { Problem, Till } from "/client/tillside.js";
import { banner, fill, h } from "/common/dom.js";
import { CLIENT, enter, keptToken } from "/common/session.js";
import { loadWords, pickedLanguage } from "/common/words.js";
import { App } from "./app.js";
import { watchTaps } from "./taps.js";

const PAGE = "panel";
const AGAIN_MS = 2000;
const host = document.getElementById("panel");

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// The facts; waits for an agent that is just starting. "refused": the token is not taken.
async function facts(till, language) {
  for (;;) {
    try {
      return await till.page();
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) return "refused";
      const words = await loadWords(PAGE, language).catch(() => null);
      if (words) {
        const text = (problem instanceof Problem && problem.cashier) || words.t("away.first");
        fill(host, h("main.alone", null, banner("warning", words.t("away.title"), text)));
      }
      await pause(AGAIN_MS);
    }
  }
}

async function run() {
  let reason = "";
  for (;;) {
    const asked = pickedLanguage("");
    const { token } = await enter({ page: PAGE, host, language: asked, reason });
    const till = new Till({ url: location.origin, token: () => keptToken(PAGE) || token, client: CLIENT });
    const found = await facts(till, asked);
    if (found === "refused") {
      reason = "unknown";
      continue;
    }
    const app = new App({ host, till, facts: found });
    await app.run();
    reason = "unknown";
  }
}

watchTaps(document);
run();
