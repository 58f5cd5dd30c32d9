// What the page shows stands in its address: `#/campaigns/ID?country=CZ&order=surprise`.

const KINDS = ["campaigns", "alerts"];

export function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [kind, id] = path.split("/").map(decodeURIComponent);
  return { kind: KINDS.includes(kind) ? kind : "campaigns", id: id || null, asked: new URLSearchParams(query) };
}

export function link({ kind, id, asked }) {
  const query = asked.toString();
  return `#/${kind}${id ? `/${encodeURIComponent(id)}` : ""}${query ? `?${query}` : ""}`;
}

export function go(route) {
  const to = link(route);
  if (to !== location.hash) location.hash = to;
}

/** The same with other words in its query. */
export function asking(route, change) {
  const asked = new URLSearchParams(route.asked);
  change(asked);
  return { ...route, asked };
}
