// Members, sightings, alerts and labels, as tables.
import { copyButton, h } from "./dom.js";
import { SEVERITY, length, many, odds, small, time } from "./format.js";
import { pill, places } from "./row.js";
import * as route from "./route.js";

const FIRST = 100; // rows of a long table before more are asked for

function table(label, columns, rows) {
  const body = h("tbody", {}, rows.slice(0, FIRST).map((make) => make()));
  const whole = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, columns.map(([name, kind]) => h("th", { scope: "col", class: kind ?? null }, name)))), body),
  );
  if (rows.length <= FIRST) return whole;
  const more = h("button", { class: "more", type: "button" }, `Show all ${rows.length.toLocaleString("en")}`);
  more.addEventListener("click", () => {
    body.append(...rows.slice(FIRST).map((make) => make()));
    more.remove();
  });
  return h("div", {}, whole, more);
}

const value = (type, of, shown) => h("td", { class: "value" }, h("small", {}, type.replace("_", " "), copyButton(of, `${type} ${shown}`)), shown);

export function members(dossier) {
  const columns = [["Indicator"], ["Why it belongs"], ["By chance", "number"], ["Network of"], ["Seen in"], ["First seen"]];
  return table(
    "Members",
    columns,
    dossier.members.map((one) => () =>
      h(
        "tr",
        {},
        value(one.type, one.value, one.shown),
        h("td", { class: "why" }, one.why || "—", one.alerts.length ? h("div", {}, `Raised: ${one.alerts.join(" · ")}`) : null),
        h("td", { class: "number quiet", title: one.p === null ? null : odds(one.p) }, small(one.p)),
        h("td", {}, one.origin?.country ? places([one.origin.country]) : h("span", { class: "quiet" }, "—"), one.origin?.as_name ? h("div", { class: "quiet" }, `AS${one.origin.asn} ${one.origin.as_name}`) : null, one.known_benign.map((list) => h("div", {}, pill("listed", list)))),
        h("td", {}, h("span", { class: "where" }, places(one.countries, 12))),
        h("td", { class: "time quiet" }, one.first_seen === null ? "—" : time(one.first_seen, false)),
      ),
    ),
  );
}

export function sightings(campaign, site, shownOf) {
  const columns = [["First seen, UTC"], ["Lasted"], ["Organisation"], ["Country"], ["Indicator"], ["Slices", "number"]];
  return table(
    "Sightings",
    columns,
    campaign.sightings.map((one) => () =>
      h(
        "tr",
        {},
        h("td", { class: "time" }, time(one.first_seen, false)),
        h("td", { class: "time quiet" }, length(one.last_seen - one.first_seen)),
        h("td", { title: site.organisations[one.organisation]?.name ?? null }, one.organisation || "not told"),
        h("td", {}, places([one.country])),
        value(one.type, one.value, shownOf.get(`${one.type} ${one.value}`) ?? one.value),
        h("td", { class: "number" }, String(one.slices)),
      ),
    ),
  );
}

export function alerts(lines, to) {
  const columns = [["Severity"], ["Rule"], ["Indicator"], ["Seen in"], ["By chance", "number"], ["Last seen, UTC"], ["Status"]];
  return table(
    "Alerts",
    columns,
    lines.map((line) => () =>
      h(
        "tr",
        {},
        h("td", { class: `severity s${line.severity}` }, SEVERITY[line.severity]),
        h("td", {}, h("a", { href: route.link({ ...to, kind: "alerts", id: line.id, asked: new URLSearchParams() }) }, line.rule)),
        line.named.length ? value(line.named[0].type, line.named[0].value, line.named[0].shown) : h("td", {}, "—"),
        h("td", {}, h("span", { class: "where" }, places(line.countries, 12))),
        h("td", { class: "number quiet" }, small(line.p_value)),
        h("td", { class: "time quiet" }, time(line.last_seen, false)),
        h("td", {}, pill(line.verdict ?? line.status)),
      ),
    ),
  );
}

export function words(labels) {
  if (!labels.length) return h("p", { class: "quiet" }, "Nobody has said anything yet.");
  return h(
    "ul",
    { class: "words" },
    labels.map((one) =>
      h("li", {}, pill(one.verdict), ` ${one.by}, ${time(one.at)}, sure to ${one.confidence} % `, one.basis ? h("div", { class: "quiet" }, one.basis) : null),
    ),
  );
}

const WORDS = { received: "received", handled: "handled", "not-ours": "not ours", "need-more": "need more" };

export function replies(said) {
  if (!said.length) return h("p", { class: "quiet" }, "Nobody who was told has answered.");
  return h(
    "ul",
    { class: "words" },
    said.map((one) => h("li", {}, pill(one.word, WORDS[one.word]), ` ${one.by}, ${time(one.at)}`, one.text ? h("div", { class: "quiet" }, one.text) : null)),
  );
}

export function alliances(facets) {
  return facets.filter((one) => one.startsWith("alliance:")).map((one) => one.slice("alliance:".length));
}

export const count = (rows, one) => many(rows.length, one);
