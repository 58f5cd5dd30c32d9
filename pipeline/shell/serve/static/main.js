// The page: a route in the address, a queue, a detail, live rows, keys.
import { get } from "./ask.js";
import { byId, h } from "./dom.js";
import { Detail } from "./detail.js";
import { Filters, change } from "./filter.js";
import { many } from "./format.js";
import { Live } from "./live.js";
import { Queue } from "./queue.js";
import * as route from "./route.js";

const COUNT_MS = 5_000;
const ASK_MS = 10_000;

const site = await get("/api/site");
const queue = new Queue(site);
const detail = new Detail(site);
const filters = new Filters(site);
const live = new Live(changed, state);
let recount = null;

function changed(lines) {
  queue.changed(lines);
  detail.changed(lines);
  recount ??= setTimeout(() => {
    recount = null;
    filters.refresh();
  }, COUNT_MS);
}

// Who is shown a part is shown no alerts.
for (const view of document.querySelectorAll("[data-view]")) view.hidden = !site.kinds.includes(view.dataset.view);

async function show() {
  const to = route.read();
  for (const view of document.querySelectorAll("[data-view]")) {
    if (view.dataset.view === to.kind) view.setAttribute("aria-current", "page");
    else view.removeAttribute("aria-current");
  }
  if (document.activeElement !== byId("search")) byId("search").value = to.asked.get("q") ?? "";
  await Promise.all([filters.show(to), detail.show(to), shown(to)]);
}

async function shown(to) {
  try {
    const revision = await queue.show(to);
    if (revision !== null) live.follow(to.kind, revision);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// Whether what is shown is what there is.
let connection = "connecting";
let behind = null;

function state(now) {
  connection = now;
  const silent = behind === null || behind.heard_s_ago === null || behind.heard_s_ago > 20;
  const [name, text] =
    connection !== "live"
      ? ["stale", "reconnecting"]
      : silent
        ? ["stale", "the broker does not answer"]
        : behind.behind > 0
          ? ["catching", `${many(behind.behind, "record")} behind`]
          : ["live", "live"];
  const fresh = byId("fresh");
  fresh.dataset.state = name;
  const span = fresh.querySelector("span");
  if (span.textContent !== text) span.textContent = text;
}

async function ask() {
  try {
    behind = await get("/api/site");
  } catch {
    behind = null;
  }
  state(connection);
}

behind = site;
setInterval(ask, ASK_MS);
setTimeout(ask, 1_500);

// Keys. None of them while something is typed.
const KEYS = [
  ["j", "next row", () => queue.step(1)],
  ["k", "previous row", () => queue.step(-1)],
  ["Enter", "open the row", null],
  ["/", "find an indicator or an id", () => byId("search").focus()],
  ["u", "back to the queue", () => route.go({ ...route.read(), id: null })],
  ["g", "campaigns or alerts", () => site.kinds.length > 1 && route.go({ kind: route.read().kind === "alerts" ? "campaigns" : "alerts", id: null, asked: new URLSearchParams() })],
  ["l", "filters", () => byId("filter-button").click()],
  ["c", "confirm", () => verdict("confirmed")],
  ["b", "benign", () => verdict("benign")],
  ["f", "false positive", () => verdict("false-positive")],
  ["t", "dark or light", () => turn()],
  ["?", "this help", () => help()],
];

function verdict(name) {
  document.querySelector(`[data-verdict="${name}"]:not(:disabled)`)?.click();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const does = KEYS.find(([key]) => key === event.key)?.[2];
  if (!does) return;
  event.preventDefault();
  does();
});

function help() {
  const dialog = byId("dialog");
  dialog.replaceChildren(
    h("h2", { id: "dialog-name" }, "Keys"),
    h("dl", {}, KEYS.map(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)])),
    h("div", { class: "buttons" }, h("button", { class: "main", type: "button", onclick: () => dialog.close() }, "Close")),
  );
  dialog.showModal();
}

function isLight() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "light" : matchMedia("(prefers-color-scheme: light)").matches;
}

function turn() {
  const theme = isLight() ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // it holds until the page is left
  }
  named();
}

function named() {
  byId("theme").textContent = isLight() ? "Dark" : "Light";
}

named();
byId("theme").addEventListener("click", turn);
byId("keys").addEventListener("click", help);
document.querySelector(".search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("search").value.trim();
  change((asked) => (text ? (asked.set("q", text), asked.set("show", "any")) : (asked.delete("q"), asked.delete("show"))));
  byId("search").blur();
});
if (site.may_log_out) {
  byId("person").hidden = false;
  byId("person").querySelector("span").textContent = site.person.name;
}
addEventListener("hashchange", show);
await show();
