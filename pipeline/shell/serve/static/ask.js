// The server's JSON.

export class Refused extends Error {}

async function answered(response) {
  if (response.status === 401) location.assign("/login");
  if (!response.ok) throw new Refused((await response.text()).slice(0, 300) || response.statusText);
  return response.json();
}

export const get = async (path, signal) => answered(await fetch(path, { signal }));

export const post = async (path, body) =>
  answered(await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
