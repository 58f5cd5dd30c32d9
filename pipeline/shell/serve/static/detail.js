// One campaign or alert with its evidence.
import { Refused, get } from "./ask.js";
import { byId, copyButton, h } from "./dom.js";
import { SEVERITY, country, length, many, odds, time } from "./format.js";
import { label } from "./label.js";
import { name, pill, places } from "./row.js";
import * as route from "./route.js";
import { map, matrix, timeline } from "./spread.js";
import * as tables from "./tables.js";

const AGAIN_MS = 1_000;

export class Detail {
  #shown = undefined;
  #again = null;

  constructor(site) {
    this.site = site;
    this.place = byId("detail");
  }

  async show(to) {
    document.body.classList.toggle("reading", Boolean(to.id));
    const key = to.id && `${to.kind}/${to.id}`;
    if (key === this.#shown) return;
    this.#shown = key;
    if (!to.id) {
      this.place.replaceChildren(hint());
      document.title = "Sightline";
      return;
    }
    await this.#load(to);
    this.place.scrollTop = 0;
    if (matchMedia("(max-width: 760px)").matches) scrollTo(0, 0);
  }

  /** The one that is open has changed. */
  changed(lines) {
    const to = route.read();
    if (!to.id || this.#again || !lines.some((line) => line.id === to.id)) return;
    this.#again = setTimeout(() => {
      this.#again = null;
      if (this.#shown === `${to.kind}/${to.id}`) this.#load(to);
    }, AGAIN_MS);
  }

  async #load(to) {
    const key = `${to.kind}/${to.id}`;
    let parts;
    try {
      const path = `/api/${to.kind}/${encodeURIComponent(to.id)}`;
      parts = to.kind === "campaigns" ? await this.#campaign(to, await get(`${path}/evidence`)) : await this.#alert(to, await get(path));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      parts = [back(to), h("p", { class: "empty" }, `There is no ${to.kind === "campaigns" ? "campaign" : "alert"} of this id (any more).`)];
    }
    if (this.#shown !== key) return;
    const open = [...this.place.querySelectorAll("details")].map((one) => one.open);
    this.place.replaceChildren(...parts);
    [...this.place.querySelectorAll("details")].forEach((one, number) => (one.open = open[number] ?? one.open));
  }

  async #campaign(to, { line, campaign, dossier, alerts, labels, replies }) {
    document.title = `${name(line)} · Sightline`;
    const shownOf = new Map(dossier.members.map((one) => [`${one.type} ${one.value}`, one.shown]));
    const omitted = campaign.sightings_omitted ? `, ${campaign.sightings_omitted} more are not named` : "";
    const merged = campaign.merged_into && h("p", { class: "card body" }, "Merged into ", h("a", { href: route.link({ ...to, id: campaign.merged_into }) }, campaign.merged_into));
    return [
      back(to),
      head(line, campaign.tlp, this.site),
      merged,
      facts([
        ["First seen", time(line.first_seen, false), "UTC"],
        ["Last seen", time(line.last_seen, false), `over ${length(line.last_seen - line.first_seen)}`],
        ["By chance", odds(line.p_value), line.p_value === null ? "no base rate is known" : `p = ${line.p_value}`],
        ["Countries", String(line.countries.length), many(line.organisations, "organisation")],
        ["Members", String(line.indicators), many(campaign.alerts.length, "alert")],
        ["Confidence", `${campaign.confidence} %`, `${campaign.confidence_word}, ${campaign.admiralty}`],
      ]),
      card("How it spread", "first seen by country; each bar is one organisation", timeline(dossier.timeline)),
      h(
        "div",
        { class: "pair" },
        card("From where, to whom", "sources by the network’s country of registration (rows) and by who saw them (columns)", matrix(dossier), this.#honesty(dossier.honesty)),
        card("On the map", null, await map(dossier)),
      ),
      card("Members", "and why each belongs", tables.members(dossier)),
      folded("Alerts", tables.count(alerts, "alert"), tables.alerts(alerts, to)),
      folded("Sightings", `${tables.count(campaign.sightings, "sighting")}${omitted}`, tables.sightings(campaign, this.site, shownOf)),
      folded("Labels", labels.length ? tables.count(labels, "label") : "none", tables.words(labels), labels.length > 0),
      replies.length ? folded("Replies", `${replies.length} from those who were told`, tables.replies(replies), true) : null,
    ].filter(Boolean);
  }

  async #alert(to, { line, body, labels }) {
    document.title = `${name(line)} · Sightline`;
    const [of] = line.named;
    const found = of ? (await get(`/api/campaigns?q=${encodeURIComponent(of.value)}&limit=10`)).rows : [];
    const origin = body.unmapped.origin;
    return [
      back(to),
      head(line, null, this.site),
      facts([
        ["First seen", time(line.first_seen, false), "UTC"],
        ["Last seen", time(line.last_seen, false), `over ${length(line.last_seen - line.first_seen)}`],
        ["By chance", odds(line.p_value), line.p_value === null ? "no base rate is known" : `p = ${line.p_value}`],
        ["Countries", String(line.countries.length), many(line.organisations, "organisation")],
        ["Network of", origin?.country ? country(origin.country) : "—", origin?.as_name ? `AS${origin.asn} ${origin.as_name}` : ""],
      ]),
      card(line.rule, null, h("p", {}, body.message), origin ? this.#honesty() : null),
      card("Seen by", null, h("p", {}, body.unmapped.organisations.join(", "))),
      line.known_benign?.length ? card("Known to be benign", "an alert on such an indicator is informational", h("p", {}, line.known_benign.map((list) => [pill("listed", list), " "]))) : null,
      card(
        "Campaigns with this indicator",
        null,
        found.length
          ? h("ul", { class: "words" }, found.map((one) => h("li", {}, h("a", { href: `#/campaigns/${encodeURIComponent(one.id)}` }, pill(one.status), ` ${name(one)} `), places(one.countries, 12))))
          : h("p", { class: "quiet" }, "None."),
      ),
      folded("Labels", labels.length ? tables.count(labels, "label") : "none", tables.words(labels), labels.length > 0),
      folded("As it is on the topic", "OCSF Detection Finding", h("pre", { tabindex: "0" }, JSON.stringify(body, null, 2))),
    ].filter(Boolean);
  }

  #honesty(text = "The origin is where a network is registered, not where a person is.") {
    return `${text} Database: ${this.site.geoip || "none"}.`;
  }
}

function head(line, tlp, site) {
  const label_ = (verdict, text, key) =>
    h("button", { type: "button", "data-verdict": verdict, disabled: !site.may_label, title: site.may_label ? null : "Your role may not label", onclick: () => label(line, verdict) }, text, h("kbd", { "aria-hidden": "true" }, key));
  return h(
    "header",
    { class: `head s${line.severity}` },
    h(
      "div",
      {},
      h("h2", {}, name(line), line.named[0] ? copyButton(line.named[0].value, `${line.named[0].type} ${line.named[0].shown}`) : null),
      h(
        "div",
        { class: "tags" },
        h("span", { class: "severity" }, SEVERITY[line.severity]),
        pill(line.status),
        line.verdict ? pill(line.verdict) : null,
        line.facets.includes("exercise:yes") ? pill("exercise", "EXERCISE") : null,
        tlp ? h("span", {}, `TLP:${tlp}`) : null,
        tables.alliances(line.facets).map((one) => pill("released", `released to ${one}`)),
        h("span", { class: "whole mono" }, line.id, copyButton(line.id, "the id")),
      ),
    ),
    h("div", { class: "actions", role: "group", "aria-label": "Label" }, label_("confirmed", "Confirm", "c"), label_("benign", "Benign", "b"), label_("false-positive", "False positive", "f")),
  );
}

function facts(rows) {
  return h("dl", { class: rows.length === 5 ? "facts five" : "facts" }, rows.map(([what, value, more]) => h("div", {}, h("dt", {}, what), h("dd", {}, value, more ? h("small", {}, more) : null))));
}

function card(title, about, content, note) {
  return h("section", { class: "card" }, h("header", {}, h("h3", {}, title), about ? h("p", {}, about) : null), h("div", { class: "body" }, content), note ? h("p", { class: "note" }, note) : null);
}

function folded(title, about, content, open = false) {
  return h("details", { class: "card", open }, h("summary", {}, title, h("small", {}, about)), h("div", { class: "body" }, content));
}

function back(to) {
  return h("a", { class: "back", href: route.link({ ...to, id: null }) }, "‹ Queue");
}

function hint() {
  const key = (name, does) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, does)];
  return h("div", { class: "hint" }, h("p", {}, "Choose a row to see its evidence."), h("dl", {}, key("j k", "next, previous row"), key("Enter", "open it"), key("/", "find an indicator"), key("?", "all keys")));
}
