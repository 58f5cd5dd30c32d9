// The timeline by country, the matrix of origins and victims, and the map.
import { get } from "./ask.js";
import { h, svg } from "./dom.js";
import { country, length, many, time } from "./format.js";

const TRACK = 24; // px

export function timeline(steps) {
  if (!steps.length) return h("p", { class: "quiet" }, "No sightings are named.");
  const from = Math.min(...steps.map((one) => one.first_seen));
  const to = Math.max(...steps.map((one) => one.last_seen));
  const span = Math.max(to - from, 1);
  const at = (ms) => `${(100 * (ms - from)) / span}%`;
  const rows = steps.map((step) => {
    const bars = step.sightings.map((one, number) => {
      const bar = h("i", { title: `${one.organisation}: ${time(one.first_seen)} to ${time(one.last_seen)}` });
      bar.style.left = at(one.first_seen);
      bar.style.width = `${(100 * (one.last_seen - one.first_seen)) / span}%`;
      const each = TRACK / step.sightings.length;
      bar.style.top = `${number * each + Math.max(0, (each - 8) / 2)}px`;
      bar.style.height = `${Math.max(1, Math.min(8, each - 1))}px`;
      return bar;
    });
    const first = h("i", { class: "first" });
    first.style.left = `min(${at(step.first_seen)}, calc(100% - 3px))`;
    return h(
      "li",
      {},
      h("span", { class: "order-number" }, String(step.order)),
      h("span", { class: "who", title: step.organisations.join(", ") }, h("span", { class: "long" }, `${country(step.country)} `), h("span", { class: "country" }, step.country || "?")),
      h("span", { class: "track", role: "img", "aria-label": `${many(step.organisations.length, "organisation")}, from ${time(step.first_seen)} to ${time(step.last_seen)}` }, bars, first),
      h("span", { class: "after" }, step.order === 1 ? "first" : `+${length(step.first_seen - from)}`),
    );
  });
  return h(
    "div",
    {},
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, h("span", {}, time(from)), h("span", {}, time(to, false)))),
    h("ol", { class: "spread", "aria-label": "Countries in the order in which they were hit" }, rows),
  );
}

export function matrix(dossier) {
  if (!dossier.origins.length) return h("p", { class: "quiet" }, "None of its members is an address, so there is no origin to tell.");
  const victims = dossier.timeline.map((one) => one.country);
  const cells = new Map(dossier.matrix.map((one) => [`${one.origin} ${one.country}`, one.sources]));
  const most = Math.max(...cells.values());
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Matrix of origins and victims" },
    h(
      "table",
      { class: "matrix" },
      h("caption", { class: "unseen" }, "Sources by the country their network is registered in, and the country that saw them"),
      h("thead", {}, h("tr", {}, h("td", {}), victims.map((code) => h("th", { scope: "col", title: country(code) }, code || "?")))),
      h(
        "tbody",
        {},
        dossier.origins.map((origin) =>
          h(
            "tr",
            {},
            h("th", { scope: "row", title: country(origin) }, origin === "unknown" ? "?" : origin),
            victims.map((code) => {
              const sources = cells.get(`${origin} ${code}`) ?? 0;
              const cell = h("td", { title: sources ? `${many(sources, "source")} of ${country(origin)} in ${country(code)}` : null }, sources ? String(sources) : "");
              cell.style.setProperty("--part", `${sources ? 12 + 30 * (sources / most) : 4}%`);
              return cell;
            }),
          ),
        ),
      ),
    ),
  );
}

let world = null;

export async function map(dossier) {
  world ??= get("/static/world.json");
  const { width, height, countries, elsewhere } = await world;
  const victims = new Set(dossier.timeline.map((one) => one.country));
  const from = new Map();
  for (const one of dossier.matrix) from.set(one.origin, Math.max(from.get(one.origin) ?? 0, one.sources));
  const land = elsewhere.map((d) => svg("path", { d }));
  const marks = [];
  for (const [code, place] of Object.entries(countries)) {
    if (place.path) land.push(svg("path", { d: place.path, class: victims.has(code) ? "victim" : "" }, svg("title", {}, country(code))));
    const [cx, cy] = place.at;
    if (victims.has(code)) marks.push(svg("circle", { cx, cy, r: 4.5, class: "victim" }, svg("title", {}, country(code))));
    if (from.has(code)) marks.push(svg("circle", { cx, cy, r: 8 + Math.min(10, 2 * Math.log2(from.get(code))), class: "origin" }, svg("title", {}, `${country(code)}: ${many(from.get(code), "source")}`)));
  }
  const told = [...victims].map(country).join(", ");
  const origins = [...from.keys()].filter((one) => one !== "unknown").map(country).join(", ");
  return h(
    "div",
    { class: "map" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Seen in ${told}.${origins ? ` Networks of ${origins}.` : ""}` }, ...land, ...marks),
    h("div", { class: "legend" }, h("span", {}, "seen here"), h("span", { class: "from" }, "networks registered here")),
    sources(dossier.members),
  );
}

const MOST = 6;

/** The countries that most sources' networks are registered in. */
function sources(members) {
  const of = new Map();
  for (const one of members) if (one.type === "ip") of.set(one.origin?.country ?? "unknown", (of.get(one.origin?.country ?? "unknown") ?? 0) + 1);
  if (!of.size) return "";
  const rows = [...of].sort(([a, many], [b, more]) => more - many || a.localeCompare(b));
  const rest = rows.slice(MOST).reduce((sum, [, n]) => sum + n, 0);
  const shown = [...rows.slice(0, MOST), ...(rest ? [[`${rows.length - MOST} other countries`, rest]] : [])];
  const greatest = Math.max(...shown.map(([, n]) => n));
  return h(
    "ul",
    { class: "most", "aria-label": "Sources by the country of their network" },
    shown.map(([code, n]) => {
      const bar = h("i", { "aria-hidden": "true" });
      bar.style.width = `${(100 * n) / greatest}%`;
      return h("li", {}, h("span", {}, country(code)), bar, h("span", {}, String(n)));
    }),
  );
}
