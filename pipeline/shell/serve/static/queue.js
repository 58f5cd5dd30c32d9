// The queue: pages of rows from the server, and rows that change live, each in its place.
import { get } from "./ask.js";
import { byId, h, say } from "./dom.js";
import { many } from "./format.js";
import * as filter from "./filter.js";
import { row } from "./row.js";
import * as route from "./route.js";

const PAGE = 60;
const MOST = 600; // rows on the page; more are asked for
const SEVERITIES = [6, 5, 4, 3, 2, 1, 0, 99];

export class Queue {
  #lines = new Map();
  #fresh = new Set();
  #next = null;
  #total = 0;
  #key = null;
  #asking = null;
  #route = null;

  constructor(site) {
    this.site = site;
    this.list = byId("rows");
    byId("more").addEventListener("click", () => this.#more());
  }

  /** Shows what a route asks for; the revision that it is of, if it had to be asked for. */
  async show(to) {
    this.#route = to;
    const key = `${to.kind}?${filter.query(to, this.site)}`;
    if (key === this.#key) {
      this.#mark();
      return null;
    }
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const page = await get(`/api/${key}&limit=${PAGE}`, asking.signal);
    this.#key = key;
    this.#lines = new Map(page.rows.map((line) => [line.id, line]));
    this.#fresh.clear();
    this.#next = page.next;
    this.#total = page.total;
    this.#draw();
    say(`${many(page.total, "row")}`);
    return page.revision;
  }

  async #more() {
    const page = await get(`/api/${this.#key}&limit=${PAGE}&after=${this.#next}`);
    const from = this.list.children.length;
    for (const line of page.rows) if (!this.#lines.has(line.id)) this.#lines.set(line.id, line);
    this.#next = page.next;
    this.#draw();
    this.list.children[from]?.querySelector("a")?.focus();
  }

  /** Lines that changed: a row is written anew where it is; a new one comes to its place. */
  changed(lines) {
    const order = filter.order(this.#route);
    for (const line of lines) {
      const known = this.#lines.get(line.id);
      const wanted = !line.gone && filter.wants(line, this.#route, this.site);
      if (!wanted && (!known || line.id === this.#route.id) && !line.gone) {
        if (known) this.#replace(line);
        continue;
      }
      if (!wanted) {
        if (!known) continue;
        this.#lines.delete(line.id);
        this.#total -= 1;
        this.#item(line.id)?.remove();
      } else if (known) {
        this.#fresh.add(line.id);
        this.#replace(line);
      } else {
        this.#fresh.add(line.id);
        this.#lines.set(line.id, line);
        this.#total += 1;
        this.#insert(line, order);
      }
    }
    while (this.#lines.size > MOST) {
      const last = this.list.lastElementChild;
      this.#lines.delete(last.firstChild.dataset.id);
      last.remove();
    }
    this.#count();
  }

  #replace(line) {
    this.#lines.set(line.id, line);
    const item = this.#item(line.id);
    if (!item) return;
    const focused = item.contains(document.activeElement);
    item.replaceChildren(this.#row(line));
    if (focused) item.firstChild.focus({ preventScroll: true });
  }

  #insert(line, order) {
    const before = [...this.list.children].find((item) => comes(line, this.#lines.get(item.firstChild.dataset.id), order));
    this.list.insertBefore(h("li", {}, this.#row(line)), before ?? null);
  }

  #row(line) {
    const { id } = line;
    return row(line, route.link({ ...this.#route, id }), id === this.#route.id, this.#fresh.has(id));
  }

  #item(id) {
    return this.list.querySelector(`[data-id="${CSS.escape(id)}"]`)?.parentElement;
  }

  #draw() {
    this.list.replaceChildren(...[...this.#lines.values()].map((line) => h("li", {}, this.#row(line))));
    this.#count();
  }

  #mark() {
    if (this.#route.id) this.#fresh.delete(this.#route.id);
    for (const one of this.list.querySelectorAll("a.row")) {
      const line = this.#lines.get(one.dataset.id);
      one.href = route.link({ ...this.#route, id: line.id });
      one.classList.toggle("fresh-row", this.#fresh.has(line.id));
      if (line.id === this.#route.id) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
  }

  #count() {
    byId("total").textContent = this.#total.toLocaleString("en");
    byId("more").hidden = !this.#next;
    const empty = byId("empty");
    empty.hidden = this.#lines.size > 0;
    empty.textContent = this.#route.asked.toString() ? "Nothing matches these filters." : "Nothing is going on now. What is seen in more than one country appears here by itself; what has ended is under All.";
  }

  /** Moves the focus by rows. */
  step(by) {
    const rows = [...this.list.querySelectorAll("a.row")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const current = rows.findIndex((one) => one.getAttribute("aria-current"));
    const next = at >= 0 ? at + by : current >= 0 ? current + by : by > 0 ? 0 : rows.length - 1;
    rows[Math.max(0, Math.min(next, rows.length - 1))].focus();
  }
}

/** Whether a line comes before another in an order; among equals the newer. */
function comes(line, other, order) {
  const rank = { severity: (one) => SEVERITIES.indexOf(one.severity), surprise: filter.surprise, newest: () => 0 }[order];
  return rank(line) <= rank(other);
}
