// Live rows. The server keeps no queue for us: after a break we name the last revision we saw, the
// browser by itself (Last-Event-ID) or we, and are sent what has changed since.

const STALE_MS = 25_000; // the server sends something every ten seconds
const AGAIN_MS = 2_000;

export class Live {
  #source = null;
  #heard = 0;
  #kind;
  #revision;

  /** `rows` is called with the lines that changed, `state` with "live", "stale" or "connecting". */
  constructor(rows, state) {
    this.rows = rows;
    this.state = state;
    setInterval(() => this.#watch(), 5_000);
    addEventListener("online", () => this.#open());
  }

  follow(kind, revision) {
    this.#kind = kind;
    this.#revision = revision;
    this.#open();
  }

  #open() {
    this.#source?.close();
    if (this.#revision === undefined) return;
    const source = new EventSource(`/events?of=${this.#kind}&after=${this.#revision}`);
    this.#source = source;
    this.#heard = Date.now();
    source.onopen = () => {
      this.#heard = Date.now();
      this.state("live");
    };
    source.onerror = () => {
      this.state("connecting");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#source === source && this.#open(), AGAIN_MS);
    };
    source.addEventListener("ping", () => (this.#heard = Date.now()));
    source.addEventListener("rows", (event) => {
      this.#heard = Date.now();
      this.#revision = event.lastEventId;
      this.rows(JSON.parse(event.data));
    });
  }

  #watch() {
    if (this.#source && Date.now() - this.#heard > STALE_MS) {
      this.state("stale");
      this.#open();
    }
  }
}
