// The connection to the server: news once a second, and a new try where it is lost.

const LONGEST_PAUSE = 8000;
const SILENCE = 12000;

// Asks for JSON. Throws {status, text}: status 0 where the server cannot be reached.
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw { status: 0, text: "The server cannot be reached." };
  }
  if (!response.ok) throw { status: response.status, text: (await response.text()).trim() };
  return response.status === 204 ? null : response.json();
}

export class Live {
  // told: {news(news), lost(text), found(), locked()}
  constructor(told) {
    this.told = told;
    this.source = null;
    this.pause = 500;
  }

  // Watches a view from now on: query has what the server has to filter and sort.
  watch(query) {
    this.query = query;
    this.open();
  }

  open() {
    this.stop();
    let first = true;
    const source = (this.source = new EventSource(`/events?${new URLSearchParams(this.query)}`));
    source.onmessage = (event) => {
      if (source !== this.source) return;
      if (first) { this.pause = 500; this.told.found(); }
      this.told.news({ ...JSON.parse(event.data), first });
      first = false;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.fail(source, "The server has said nothing for some time."), SILENCE);
    };
    source.onerror = () => this.fail(source, "The server cannot be reached.");
    this.timer = setTimeout(() => this.fail(source, "The server does not answer."), SILENCE);
  }

  stop() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  }

  // Says so, and tries again until it succeeds, or the token is needed.
  async fail(source, text) {
    if (source !== this.source) return;
    this.stop();
    try {
      await ask("/api/session.json");
      text = "The stream of news has ended.";
    } catch (problem) {
      if (problem.status === 401) { this.told.locked(); return; }
      if (problem.status) text = problem.text;
    }
    if (this.source) return; // another view was chosen meanwhile
    this.told.lost(text);
    this.pause = Math.min(this.pause * 1.6, LONGEST_PAUSE);
    this.timer = setTimeout(() => this.open(), this.pause);
  }
}
