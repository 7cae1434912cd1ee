// The agent's events for as long as a page lives; the client kit begins a stream that broke again where it ended.

// A page that nobody sees lets its stream go after so long: a browser has six connections to the agent for all its tabs,
// and the agent sixteen streams. Scans of the last half minute are told when somebody looks again.
export const HIDDEN_MS = 30_000;

// Calls `onEvent(name, data)` with each event until `close()` of what it gives. `onState` gets "live" when the stream is
// there, "away" when it broke and is tried again, "refused" with the problem when the token is not taken any more.
export function follow({ till, onEvent, onState = () => {} }) {
  let ended = null;
  let last = "";
  let timer = 0;

  async function run() {
    const { signal } = (ended = new AbortController());
    const say = (state) => signal.aborted || onState(state === "open" ? "live" : "away");
    try {
      for await (const { id, event, data } of till.events({ signal, lastEventId: last, onState: say })) {
        last = id;
        tell(() => onEvent(event, data));
      }
    } catch (problem) {
      if (!signal.aborted) {
        onState("refused", problem);
      }
    }
  }

  function rest() {
    ended.abort();
    ended = null;
  }

  function seen() {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") {
      timer = ended ? setTimeout(rest, HIDDEN_MS) : 0;
    } else if (!ended) {
      // Nobody knows how the agent is until it answers.
      onState("away");
      run();
    }
  }

  document.addEventListener("visibilitychange", seen);
  run();
  return {
    close() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      ended?.abort();
    },
  };
}

// Calls `look()` now, again after `periodMs` (a number, or a function of nothing) while somebody sees the page, and at once
// when they come back to it. Never twice at a time: a slow answer is waited for. `now()` of what it gives doesn't wait.
export function every(periodMs, look) {
  const pauseMs = typeof periodMs === "function" ? periodMs : () => periodMs;
  let timer = 0;
  let busy = false;
  let again = false;
  let closed = false;

  async function run() {
    clearTimeout(timer);
    if (busy || closed) {
      again = busy;
      return;
    }
    busy = true;
    try {
      await look();
    } catch (error) {
      // A defect in `look`: it is told as one, and the next look comes all the same.
      reportError(error);
    }
    busy = false;
    if (closed) {
      return;
    }
    timer = setTimeout(again ? run : seen, again ? 0 : pauseMs());
    again = false;
  }

  const seen = () => (document.visibilityState === "visible" ? run() : undefined);
  document.addEventListener("visibilitychange", seen);
  run();
  return {
    now: run,
    close() {
      closed = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

// A defect in whoever listens is reported as one, and does not pass for a stream that broke.
function tell(listen) {
  try {
    listen();
  } catch (error) {
    reportError(error);
  }
}
