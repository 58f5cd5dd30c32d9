// One row of the queue.
import { h } from "./dom.js";
import { SEVERITY, ago, country, many, odds } from "./format.js";

const SHOWN = 7;

export function pill(name, text = name.replace("-", " ")) {
  return h("span", { class: `pill ${name}` }, text);
}

export function places(codes, most = SHOWN) {
  const shown = codes.slice(0, most).map((code) => h("span", { class: "country", title: country(code) }, code || "?"));
  return codes.length > most ? [...shown, h("span", { class: "quiet" }, `+${codes.length - most}`)] : shown;
}

/** What a campaign or alert is called: its first indicator, and how many more. */
export function name(line) {
  const [first] = line.named;
  if (!first) return "no indicator";
  return line.indicators > 1 ? `${first.shown}  +${line.indicators - 1}` : first.shown;
}

export function row(line, href, current, fresh) {
  const facts =
    line.kind === "campaigns"
      ? [h("span", {}, h("b", {}, odds(line.p_value))), h("span", {}, many(line.organisations, "organisation")), h("span", {}, `confidence ${line.confidence}`)]
      : [h("span", {}, h("b", {}, odds(line.p_value))), h("span", {}, many(line.organisations, "organisation")), h("span", {}, line.rule)];
  return h(
    "a",
    { class: `row s${line.severity}${fresh ? " fresh-row" : ""}`, href, "data-id": line.id, "aria-current": current ? "true" : null },
    h("span", { class: "name" }, h("small", {}, line.named[0]?.type ?? ""), name(line)),
    h("span", { class: "when" }, ago(line.last_seen)),
    h("span", { class: "where" }, places(line.countries)),
    h("span", { class: "when" }, line.verdict ? pill(line.verdict) : pill(line.status)),
    h(
      "span",
      { class: "sum" },
      h("span", { class: "severity" }, SEVERITY[line.severity] ?? "other"),
      facts,
      (line.known_benign ?? []).length ? h("span", {}, `listed: ${line.known_benign[0]}`) : null,
      line.facets.includes("exercise:yes") ? h("span", {}, h("b", {}, "EXERCISE")) : null,
    ),
  );
}
