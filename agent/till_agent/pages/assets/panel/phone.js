// Phone numbers as they are keyed at a till: shown in the country's own groups, and the usual slips put right
// (8 or 0 in front, the country's code keyed though it stands there already, a number pasted with brackets).

// Calling code, lengths of the groups behind it, and digits that people key in front at home though no number begins so.
const COUNTRIES = {
  RU: ["7", [3, 3, 2, 2], "8"],
  KZ: ["7", [3, 3, 2, 2], "8"],
  KG: ["996", [3, 3, 3], "0"],
  UA: ["380", [2, 3, 2, 2], "0"],
  UZ: ["998", [2, 3, 2, 2], ""],
  BY: ["375", [2, 3, 2, 2], "80"],
  TJ: ["992", [2, 3, 2, 2], ""],
  TM: ["993", [2, 2, 2, 2], "8"],
  AM: ["374", [2, 3, 3], "0"],
  AZ: ["994", [2, 3, 2, 2], "0"],
  GE: ["995", [3, 2, 2, 2], "0"],
  MD: ["373", [2, 3, 3], "0"],
  MN: ["976", [4, 4], ""],
  US: ["1", [3, 3, 4], "1"],
};
const LONGEST = 15;

const sum = (groups) => groups.reduce((total, each) => total + each, 0);

function countryOf(digits) {
  const fits = Object.values(COUNTRIES).filter(([code]) => digits.startsWith(code));
  return fits.sort((a, b) => b[0].length - a[0].length)[0] || null;
}

function grouped(digits, groups) {
  const parts = [];
  let rest = digits;
  for (const length of groups) {
    if (!rest) break;
    parts.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  if (rest) parts.push(rest);
  return parts.length > 2 ? `${parts[0]} ${parts[1]}-${parts.slice(2).join("-")}` : parts.join(" ");
}

// What stands in front of the field: "+7"; "" where the country is not known, and a number is keyed whole.
export function prefixOf(country) {
  return country in COUNTRIES ? `+${COUNTRIES[country][0]}` : "";
}

// How many digits a number of this country has behind the prefix; 0: not known.
export function lengthOf(country) {
  return country in COUNTRIES ? sum(COUNTRIES[country][1]) : 0;
}

// Read what stands in the field. `digits`: without the prefix; `foreign`: it was keyed with another country's code;
// `shown`: how to write it; `whole`: enough for a number; `value`: what the bridge gets, "" for nothing.
export function readPhone(text, country) {
  let digits = text.replace(/\D/g, "");
  const own = COUNTRIES[country] || null;
  const plus = /^\s*(\+|00)/.test(text);
  if (plus) {
    if (!text.includes("+")) digits = digits.slice(2);
    if (!own || !digits.startsWith(own[0])) return foreign(digits.slice(0, LONGEST));
    digits = digits.slice(own[0].length);
  }
  if (!own) {
    const kept = digits.slice(0, LONGEST);
    return { digits: kept, foreign: false, shown: grouped(kept, [3, 3, 2, 2]), whole: kept.length >= 7, value: kept };
  }
  const [code, groups, trunk] = own;
  const length = sum(groups);
  for (const digit of trunk) if (digits.startsWith(digit)) digits = digits.slice(1);
  if (digits.length > length && digits.startsWith(code)) digits = digits.slice(code.length);
  for (const digit of trunk) if (digits.length > length && digits.startsWith(digit)) digits = digits.slice(1);
  digits = digits.slice(0, length);
  return {
    digits,
    foreign: false,
    shown: grouped(digits, groups),
    whole: digits.length === length,
    value: digits ? `+${code}${digits}` : "",
  };
}

function foreign(digits) {
  const found = countryOf(digits);
  const rest = found ? digits.slice(found[0].length) : digits;
  const shown = found ? `+${found[0]} ${grouped(rest.slice(0, sum(found[1])), found[1])}` : `+${digits}`;
  const kept = found ? found[0] + rest.slice(0, sum(found[1])) : digits;
  return {
    digits: kept,
    foreign: true,
    shown: shown.trimEnd(),
    whole: found ? rest.length >= sum(found[1]) : digits.length >= 9,
    value: kept ? `+${kept}` : "",
  };
}
