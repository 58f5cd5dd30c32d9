// What is asked for: status by buttons, the rest by lists of what there is, each in force a chip.
import { get } from "./ask.js";
import { byId, h } from "./dom.js";
import { SEVERITY, SURPRISE, country } from "./format.js";
import * as route from "./route.js";

const SEGMENTS = {
  campaigns: [["live", "Live"], ["growing", "Growing"], ["dormant", "Dormant"], ["closed", "Closed"], ["any", "All"]],
  alerts: [["open", "Open"], ["closed", "Closed"], ["any", "All"]],
};
const NAMES = {
  severity: "Severity", surprise: "Surprise", country: "Seen in", sector: "Sector", type: "Indicator type",
  organisation: "Organisation", alliance: "Alliance", exercise: "Exercise", label: "Label", tlp: "TLP",
  rule: "Rule", origin: "Network of", benign: "Known benign",
};
const ALWAYS = ["severity", "surprise", "country", "sector", "type", "organisation", "label"];
const ORDERS = { severity: "severity", surprise: "surprise", newest: "newest" };
const SURPRISES = Object.keys(SURPRISE).sort((a, b) => rankOf(a) - rankOf(b));

function rankOf(name) {
  return ["1e-6", "1e-4", "1e-2", "0.05", "1", "none"].indexOf(name);
}

export const order = (to) => (to.asked.get("order") in ORDERS ? to.asked.get("order") : "severity");
export const surprise = (line) => rankOf(line.facets.find((one) => one.startsWith("surprise:"))?.slice(9) ?? "none");

const segment = (to) => to.asked.get("show") ?? SEGMENTS[to.kind][0][0];

function statuses(to, site) {
  const shown = segment(to);
  if (shown === "any") return [];
  if (shown === "live") return site.live;
  return shown === "open" && to.kind === "alerts" ? ["new", "updated"] : [shown];
}

/** By dimension, the values of which a row must have one. */
function wanted(to, site) {
  const found = {};
  for (const dimension of site.dimensions) {
    const values = dimension === "status" ? statuses(to, site) : to.asked.getAll(dimension);
    if (values.length) found[dimension] = values;
  }
  return found;
}

/** The same for the server. */
export function query(to, site) {
  const asked = new URLSearchParams({ order: order(to) });
  for (const [dimension, values] of Object.entries(wanted(to, site))) for (const value of values) asked.append(dimension, value);
  if (to.asked.get("q")) asked.set("q", to.asked.get("q"));
  return asked.toString();
}

/** Whether a line that came live is asked for. What is searched for by text comes with a page only. */
export function wants(line, to, site) {
  if (to.asked.get("q")) return false;
  return Object.entries(wanted(to, site)).every(([dimension, values]) => values.some((value) => line.facets.includes(`${dimension}:${value}`)));
}

export function valueName(dimension, value) {
  if (dimension === "country" || dimension === "origin") return `${country(value)} (${value})`;
  if (dimension === "severity") return SEVERITY[value] ?? value;
  if (dimension === "surprise") return SURPRISE[value] ?? value;
  return value.replace("-", " ");
}

export class Filters {
  #counts = {};
  #kind = null;

  constructor(site) {
    this.site = site;
    byId("filter-button").addEventListener("click", () => this.#toggle());
    byId("order").append(...Object.entries(ORDERS).map(([value, text]) => h("option", { value }, text)));
    byId("order").addEventListener("change", (event) => change((asked) => asked.set("order", event.target.value)));
  }

  async show(to) {
    byId("order").value = order(to);
    byId("queue-name").textContent = to.kind === "campaigns" ? "Campaigns" : "Alerts";
    this.#segments(to);
    this.#chips(to);
    if (this.#kind !== to.kind) {
      this.#kind = to.kind;
      await this.refresh();
    }
  }

  /** Asks anew how many there are of each. */
  async refresh() {
    const kind = this.#kind;
    const counts = await get(`/api/${kind}/facets`);
    if (kind !== this.#kind) return;
    this.#counts = counts;
    this.#lists();
    this.#segments(route.read());
  }

  #toggle() {
    const button = byId("filter-button");
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", open);
    byId("filters").hidden = !open;
    if (open) byId("filters").querySelector("select")?.focus();
  }

  #segments(to) {
    const count = (name) => {
      const of = statuses({ ...to, asked: new URLSearchParams({ show: name }) }, this.site);
      return of.length ? of.reduce((sum, one) => sum + (this.#counts[`status:${one}`] ?? 0), 0) : (this.#counts["all:"] ?? 0);
    };
    const focused = document.activeElement?.dataset?.segment;
    byId("segments").replaceChildren(
      ...SEGMENTS[to.kind].map(([name, text]) =>
        h(
          "button",
          { type: "button", "data-segment": name, "aria-pressed": String(segment(to) === name), onclick: () => change((asked) => asked.set("show", name)) },
          text,
          h("span", { class: "count" }, count(name).toLocaleString("en")),
        ),
      ),
    );
    if (focused) document.querySelector(`[data-segment="${focused}"]`)?.focus();
  }

  #chips(to) {
    const chips = Object.keys(NAMES).flatMap((dimension) =>
      to.asked.getAll(dimension).map((value) =>
        chip(`${NAMES[dimension]}: ${valueName(dimension, value)}`, (asked) => {
          const left = asked.getAll(dimension).filter((one) => one !== value);
          asked.delete(dimension);
          for (const one of left) asked.append(dimension, one);
        }),
      ),
    );
    if (to.asked.get("q")) chips.push(chip(`Text: ${to.asked.get("q")}`, (asked) => asked.delete("q")));
    byId("chips").replaceChildren(...chips);
  }

  #lists() {
    const of = {};
    for (const [facet, rows] of Object.entries(this.#counts)) {
      const at = facet.indexOf(":");
      (of[facet.slice(0, at)] ??= []).push([facet.slice(at + 1), rows]);
    }
    const shown = Object.keys(NAMES).filter((dimension) =>
      dimension === "exercise" ? of.exercise?.some(([value]) => value === "yes") : ALWAYS.includes(dimension) || of[dimension]?.length,
    );
    byId("filters").replaceChildren(
      ...shown.map((dimension) => {
        const values = (of[dimension] ?? []).sort(sorting(dimension));
        const list = h(
          "select",
          { "data-dimension": dimension, disabled: !values.length },
          h("option", { value: "" }, values.length ? "any" : "none here"),
          values.map(([value, rows]) => h("option", { value }, `${valueName(dimension, value)}  ·  ${rows.toLocaleString("en")}`)),
        );
        list.addEventListener("change", () => {
          const { value } = list;
          if (value) change((asked) => asked.getAll(dimension).includes(value) || asked.append(dimension, value));
          list.value = "";
        });
        return h("label", {}, NAMES[dimension], list);
      }),
    );
  }
}

function sorting(dimension) {
  if (dimension === "severity") return ([a], [b]) => Number(b) - Number(a);
  if (dimension === "surprise") return ([a], [b]) => SURPRISES.indexOf(a) - SURPRISES.indexOf(b);
  return ([a, many], [b, more]) => more - many || a.localeCompare(b);
}

function chip(text, without) {
  return h("li", {}, h("button", { type: "button", "aria-label": `Remove ${text}`, onclick: () => change(without) }, text, h("span", { "aria-hidden": "true" }, "×")));
}

export function change(of) {
  route.go(route.asking(route.read(), of));
}
