// Numbers, times and places in words.
const regions = new Intl.DisplayNames(["en"], { type: "region" });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const SEVERITY = { 0: "unknown", 1: "informational", 2: "low", 3: "medium", 4: "high", 5: "critical", 6: "fatal", 99: "other" };
export const SURPRISE = {
  "1e-6": "1 in a million or rarer",
  "1e-4": "1 in 10,000 or rarer",
  "1e-2": "1 in 100 or rarer",
  "0.05": "1 in 20 or rarer",
  1: "no surprise",
  none: "not judged",
};

export function country(code) {
  if (code === "") return "not told";
  if (!/^[A-Z]{2}$/.test(code)) return code;
  try {
    return regions.of(code) ?? code;
  } catch {
    return code;
  }
}

/** `2025-01-06 00:08 UTC` */
export function time(ms, zone = true) {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")}${zone ? " UTC" : ""}`;
}

/** How long ago, while that says something; else the day. */
export function ago(ms, now = Date.now()) {
  const since = now - ms;
  if (since < -MINUTE || since > 7 * DAY) return new Date(ms).toISOString().slice(0, 10);
  if (since < MINUTE) return "just now";
  return `${length(since)} ago`;
}

/** A length of time by its greatest unit or two: `2 d 3 h`. */
export function length(ms) {
  if (ms < MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`;
  if (ms < DAY) {
    const minutes = Math.round((ms % HOUR) / MINUTE);
    return `${Math.floor(ms / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const hours = Math.round((ms % DAY) / HOUR);
  return `${Math.floor(ms / DAY)} d${hours ? ` ${hours} h` : ""}`;
}

/** A p-value as odds. */
export function odds(p) {
  if (p === null || p === undefined) return "not judged";
  if (p > 0.05) return `p ${Number(p.toPrecision(2))}`;
  if (p < 1e-9) return "less than 1 in a billion";
  const one = Number((1 / p).toPrecision(2));
  return `1 in ${one.toLocaleString("en")}`;
}

export const small = (p) => (p === null || p === undefined ? "" : p === 0 ? "0" : p < 0.001 ? p.toExponential(0) : String(Number(p.toPrecision(2))));
export const many = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
