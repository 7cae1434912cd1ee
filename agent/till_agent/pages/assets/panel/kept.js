// What must outlive a reload of the page, so that nothing is done twice or left half done: the receipt under way, the
// return under way, and holds that could not be given back yet. No phone and no card is in it.

const RECEIPT = "tillside.panel.receipt";
const RETURN = "tillside.panel.return";
const RELEASES = "tillside.panel.releases";
const RELEASES_LIMIT = 20; // Each ends by itself within minutes; more are of a day long ago.

// Whether a problem leaves open if what was asked for is done: no answer came, or this one refuses the caller and not the
// document, which an earlier try may have brought in.
export function unsure(problem) {
  return Boolean(problem.lost || problem.retryable || [401, 403, 429].includes(problem.status));
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the page still works, for as long as it is not reloaded.
  }
}

export class Kept {
  constructor(till) {
    this.till = till;
    this._receipt = read(RECEIPT);
    this._return = read(RETURN);
    this._releases = read(RELEASES) ?? [];
  }

  get receipt() {
    return this._receipt;
  }

  set receipt(value) {
    this._receipt = value;
    write(RECEIPT, value);
  }

  get giving() {
    return this._return;
  }

  set giving(value) {
    this._return = value;
    write(RETURN, value);
  }

  // Give reserved points back; what can't be now is tried when the agent is back. A hold that is gone is as good.
  async release(hold) {
    this.noteRelease([...this._releases, hold]);
    await this.releaseAll();
  }

  async releaseAll() {
    for (const hold of [...this._releases]) {
      try {
        await this.till.release(hold, { patienceMs: 0 });
      } catch (problem) {
        if (!problem.status || problem.status >= 500 || unsure(problem)) return;
      }
      this.noteRelease(this._releases.filter((each) => each !== hold));
    }
  }

  noteRelease(holds) {
    this._releases = holds.slice(-RELEASES_LIMIT);
    write(RELEASES, this._releases.length ? this._releases : null);
  }
}
