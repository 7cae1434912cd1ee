// A scanner that types: keys that follow one another faster than a person can, ended by Enter or Tab.
// It may type anywhere on the page and in whatever keyboard layout is on: physical keys are read as a US keyboard has
// them, so that a Latin code arrives as it is printed. What a person types goes where it always goes.

export const GAP_MS = 50; // A quick typist needs 80 ms a key; a slow scanner with a radio link 30 ms.
export const END_GAP_MS = 120; // Some scanners wait a little before their Enter.
export const SHORTEST = 6; // Shorter codes are no card's, and a person may drum five keys.
export const STRAY_MS = 1000; // Behind keys that went nowhere an Enter is a slow scanner's: it presses no button.
export const LONGEST = 2000; // As the bridge takes an identifier.

const PAIRS = {
  Backquote: "`~", Minus: "-_", Equal: "=+", BracketLeft: "[{", BracketRight: "]}", Backslash: "\\|",
  Semicolon: ";:", Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?", Space: "  ", IntlBackslash: "\\|",
  NumpadAdd: "++", NumpadSubtract: "--", NumpadMultiply: "**", NumpadDivide: "//", NumpadDecimal: "..",
};
const SHIFTED_DIGITS = ")!@#$%^&*(";
const ROWS = ["qwertyuiop[]asdfghjkl;'zxcvbnm,./", "йцукенгшщзхъфывапролджэячсмитьбю."];
const GROUP_SEPARATOR = "\u001d"; // Between the parts of a GS1 code; scanners type it as Ctrl+].
const QUIET = new Set(["Shift", "CapsLock", "Control", "Alt", "AltGraph", "NumLock"]);

// The character that a key stands for on a US keyboard; "" for a key that is none, null to leave the key out of account.
export function characterOf(event) {
  if (QUIET.has(event.key)) return null;
  if (event.ctrlKey && event.code === "BracketRight") return GROUP_SEPARATOR;
  if (event.ctrlKey || event.altKey || event.metaKey) return "";
  const code = event.code || "";
  const shift = event.shiftKey ? 1 : 0;
  if (code.startsWith("Key")) return shift ? code.slice(3) : code.slice(3).toLowerCase();
  if (code.startsWith("Digit")) return shift ? SHIFTED_DIGITS[Number(code.slice(5))] : code.slice(5);
  if (/^Numpad[0-9]$/.test(code)) return code.slice(6);
  if (code in PAIRS) return PAIRS[code][shift];
  return [...(event.key || "")].length === 1 ? latin(event.key) : "";
}

// A letter of the Russian layout as the Latin one on the same key: for keyboards that don't tell the key.
export function latin(character) {
  const small = character.toLowerCase();
  const place = ROWS[1].indexOf(small);
  if (place < 0 || small === ".") return character;
  return small === character ? ROWS[0][place] : ROWS[0][place].toUpperCase();
}

// Times and characters in, codes out; knows nothing of the page.
export class Burst {
  constructor() {
    this.clear();
  }

  clear() {
    this.text = "";
    this.tooLong = false;
    this.last = -Infinity;
  }

  // Whether the character begins a new burst.
  add(character, at) {
    const fresh = !this.text || at - this.last > GAP_MS;
    this.tooLong = !fresh && (this.tooLong || this.text.length >= LONGEST);
    if (!this.tooLong) this.text = fresh ? character : this.text + character;
    this.last = at;
    return fresh;
  }

  // Whether something was typed a moment ago; a space by itself presses a button and types nothing.
  recent(at) {
    return at - this.last <= STRAY_MS && this.text.trim() !== "";
  }

  // The code that was typed up to now, "" if a person typed.
  end(at) {
    const whole = at - this.last <= END_GAP_MS && this.text.length >= SHORTEST && !this.tooLong;
    const text = whole ? this.text : "";
    this.clear();
    return text;
  }
}

// Watch a document. `onScan(text)` gets codes; `beforeTyping(event)` may move the focus before the first key lands.
export function watchWedge(document, { onScan, beforeTyping = () => {} }) {
  const burst = new Burst();
  let before = null;
  let nowhere = false; // Whether the last key went into no field.

  const keep = () => {
    const field = document.activeElement;
    if (!isTyped(field)) return null;
    return { field, value: field.value, start: field.selectionStart, end: field.selectionEnd };
  };
  const restore = () => {
    if (before === null || !before.field.isConnected) return;
    const { field, value, start, end } = before;
    field.value = value;
    field.setSelectionRange(start, end);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const onKey = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" || event.key === "Tab") {
      const stray = event.key === "Enter" && nowhere && !isTyped(document.activeElement) && burst.recent(event.timeStamp);
      const text = burst.end(event.timeStamp);
      if (!text && !stray) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!text) return;
      restore();
      onScan(text);
      return;
    }
    const character = characterOf(event);
    if (character === null) return;
    if (character === "" || event.repeat) {
      burst.clear();
      return;
    }
    const fresh = burst.add(character, event.timeStamp);
    if (fresh) beforeTyping(event);
    nowhere = !isTyped(document.activeElement);
    if (fresh) {
      before = keep();
    } else if (character === " " && !isTyped(document.activeElement)) {
      event.preventDefault(); // A code with a space must press no button.
    } else if (character === GROUP_SEPARATOR) {
      event.preventDefault();
    }
  };
  document.addEventListener("keydown", onKey, true);
  return () => document.removeEventListener("keydown", onKey, true);
}

const NOT_TYPED = new Set(["checkbox", "radio", "button", "submit", "range"]);

export function isTyped(element) {
  if (!element) return false;
  return element.tagName === "TEXTAREA" || (element.tagName === "INPUT" && !NOT_TYPED.has(element.type));
}
