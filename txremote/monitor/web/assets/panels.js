// Panels that are opened on top: the details of a row, the output of a task, the keys.

import { el, setText } from "./dom.js";
import { ago, clock, rounded, seconds, text } from "./format.js";
import { ask } from "./live.js";

const MOST_LINES = 5000;
const TIMES = new Set(["since", "at", "submitted", "started", "ended", "not_before", "not_after"]);

const LABELS = {
  number: "No.", peer: "Address", since: "Since", done_count: "Steps done", total: "Steps in all", rate: "Steps a second",
  eta: "Time left", bytes_in: "Bytes in", bytes_out: "Bytes out", unsent: "Bytes unsent", seconds: "Took", line: "Held the event loop at",
};
const SPANS = { eta: ago, age: seconds, seconds, p50: seconds, p99: seconds, slowest: seconds, number: String, connection: String };

class Panel {
  constructor(title, kind) {
    this.heading = el("h2", {}, title);
    this.content = el("div", { class: "content" });
    this.node = el("dialog", { class: `panel ${kind}`, "aria-label": title, click: (event) => event.target === this.node && this.close() },
      el("header", {}, this.heading, el("button", { type: "button", class: "quiet", "aria-label": "Close", click: () => this.close() }, "✕")),
      this.content);
  }

  open() { if (!this.node.open) this.node.showModal(); }

  close() { if (this.node.open) this.node.close(); }
}

export class Help extends Panel {
  constructor() {
    super("Keys", "help");
    const keys = [["1 – 9", "show a view"], ["/", "filter rows"], ["j  k", "next and previous row"], ["Enter", "details of a row; the output of a task"], ["Esc", "close, or clear the filter"], ["?", "this help"]];
    this.content.append(el("dl", { class: "keys" }, keys.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])));
  }
}

export class Details extends Panel {
  // told: {changed(text), session()}
  constructor(told) {
    super("Details", "details");
    this.told = told;
    this.fields = el("dl", { class: "fields" });
    this.output = el("pre", { class: "output", tabindex: "0", "aria-label": "Output" });
    this.actions = el("div", { class: "actions" });
    this.problem = el("p", { class: "wrong", role: "alert" });
    this.content.append(this.fields, this.output, this.actions, this.problem);
    this.node.addEventListener("close", () => { this.row = null; });
  }

  open(view, row) {
    if (!row) return;
    Object.assign(this, { view, row, next: 0, ended: false, asking: false });
    const task = view === "tasks";
    setText(this.heading, task ? `Task ${row.number}: ${row.command}` : "peer" in row && "number" in row ? `Connection ${row.number}` : "Details");
    this.output.replaceChildren();
    this.output.hidden = !task;
    setText(this.problem, "");
    this.describe(row);
    this.offer(task ? ["Kill the task", "killed", () => `/api/tasks/${encodeURIComponent(row.console)}/${row.number}/kill`, row.ended === null]
      : view === "connections" ? ["Close the connection", "closed", () => `/api/connections/${row.number}/close`, true] : null);
    super.open();
    if (task) { this.output.focus(); this.follow(); }
  }

  describe(row) {
    const shown = Object.entries(row).filter(([name, value]) => !["words", "taken", "per_second"].includes(name) && (name !== "worker" || value));
    this.fields.replaceChildren(...shown.flatMap(([name, value]) => [
      el("dt", {}, LABELS[name] || (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " ")),
      el("dd", {}, TIMES.has(name) ? clock(value) : SPANS[name] ? SPANS[name](value) : typeof value === "number" ? rounded(value) : text(value)),
    ]));
  }

  // A button that asks once more before it acts.
  offer(action) {
    this.actions.replaceChildren();
    if (!action) return;
    const [label, done, path, possible] = action;
    const allowed = this.told.session().can_write;
    const button = el("button", { type: "button", class: "danger", disabled: !(allowed && possible) }, label);
    let sure = false;
    button.addEventListener("click", async () => {
      if (!sure) { sure = true; setText(button, `${label}: really?`); button.classList.add("sure"); return; }
      button.disabled = true;
      try {
        await ask(path(), { method: "POST", headers: { "X-CSRF-Token": this.told.session().csrf } });
        this.told.changed(`${this.heading.textContent}: ${done}.`);
        this.close();
      } catch (problem) {
        setText(this.problem, problem.text);
        setText(button, label);
        button.classList.remove("sure");
        button.disabled = sure = false;
      }
    });
    this.actions.append(button);
    if (!allowed) this.actions.append(el("span", { class: "note" }, "This page only looks. Start the server with --admin-write to allow it."));
  }

  // Called with each news: the row as it is now, and more of the output.
  tick(view) {
    if (!this.row || !this.node.open || view.name !== this.view) return;
    const now = [...(view.tables[this.view]?.rows.values() || [])].find((row) => row.number === this.row.number && row.console === this.row.console);
    if (now && "number" in now) { this.row = now; this.describe(now); }
    if (this.view === "tasks") this.follow();
  }

  async follow() {
    if (this.asking || this.ended) return;
    const row = this.row;
    this.asking = true;
    try {
      const news = await ask(`/api/tasks/${encodeURIComponent(row.console)}/${row.number}/output.json?since=${this.next}`);
      if (this.row && this.row.number === row.number) this.print(news);
    } catch (problem) {
      if (problem.status === 404) { this.ended = true; setText(this.problem, problem.text); }
    } finally {
      this.asking = false;
    }
  }

  print(news) {
    const output = this.output;
    const follows = output.scrollHeight - output.scrollTop - output.clientHeight < 8;
    if (news.first > this.next) output.append(el("span", { class: "gap" }, `${news.first - this.next} lines are not kept any more\n`));
    for (const line of news.lines) output.append(el("span", {}, `${line}\n`));
    while (output.childElementCount > MOST_LINES) output.firstChild.remove();
    this.next = news.next;
    this.ended = news.ended;
    if (follows) output.scrollTop = output.scrollHeight;
  }
}
