// Dates of birth: as people write them here, and as the bridge has them.

export function shown(date) {
  return /^\d{4}-/.test(date) ? date.split("-").reverse().join(".") : date;
}

// "05.11.1990" (or the bridge's own form) as "1990-11-05"; "" for no date there is.
export function isoDate(text) {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return text;
  const match = /^(\d\d)\.(\d\d)\.(\d{4})$/.exec(text);
  if (!match) return "";
  const [, day, month, year] = match;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const right = date.getUTCDate() === Number(day) && date.getUTCMonth() === Number(month) - 1;
  return right ? `${year}-${month}-${day}` : "";
}
