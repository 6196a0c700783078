// The columns of each table: what is shown, what is sorted by, and what deserves a colour.

import { el, setText } from "./dom.js";
import { ago, bytes, clock, count, day, percent, rounded, seconds, text } from "./format.js";

export const server = { now: 0 }; // the server's time of day, in seconds

const words = (name, label, more) => ({ name, label, value: (row) => row[name], show: (row) => text(row[name]), ...more });
const figure = (name, label, show, more) => ({ name, label, kind: "number", value: (row) => row[name], show: (row) => show(row[name]), ...more });
const since = (name, label, more) => figure(name, label, null, { show: (row) => (row[name] === null ? "–" : ago(server.now - row[name])), value: (row) => (row[name] === null ? null : -row[name]), order: `-${name}`, ...more });
// Rows that stay as they are do not come again, so one that has not come for a while counts nothing.
const rate = (row) => (performance.now() - row.taken > 2500 ? 0 : row.per_second);
const perSecond = (more) => figure("per_second", "/s", null, { show: (row) => rounded(rate(row)), value: rate, order: null, ...more });
const name = (field, label, more) => words(field, label, { kind: "name", ...more });
const worker = figure("worker", "Worker", text, { crewed: true });
const bad = (field) => ({ tone: (row) => (row[field] > 0 ? "bad" : "") });

export function bar(cell, part, whole, label, tone) {
  let fill = cell.querySelector(".fill");
  if (!fill) {
    fill = el("span", { class: "fill" });
    cell.replaceChildren(el("span", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fill), el("span", { class: "barred" }));
  }
  const known = whole > 0 && part !== null;
  const share = known ? Math.min(100, (100 * part) / whole) : 0;
  const outer = fill.parentNode;
  fill.style.width = `${share}%`;
  outer.dataset.tone = tone || "";
  outer.setAttribute("aria-label", label);
  if (known) outer.setAttribute("aria-valuenow", Math.round(share));
  else outer.removeAttribute("aria-valuenow");
  setText(cell.lastChild, label);
}

const TONES = {
  RUNNING: "info", FINISHED: "good", ABORTED: "bad", KILLED: "warn", TOBEKILLED: "warn", LOST: "bad",
  ok: "good", "expires soon": "warn", expired: "bad", "not yet valid": "bad",
  error: "bad", critical: "bad", warn: "warn", warning: "warn", cancelled: "warn",
  running: "info", serving: "good", open: "good", draining: "warn", stopped: "bad", stopping: "warn",
};

const chip = (field, label, more) => words(field, label, {
  kind: "chipped",
  draw: (cell, row) => {
    if (!cell.firstChild) cell.append(el("span", { class: "chip" }));
    setText(cell.firstChild, text(row[field]));
    cell.firstChild.dataset.tone = TONES[row[field]] || "muted";
  },
  ...more,
});

function progress(cell, row) {
  const whole = row.total;
  if (row.done_count === null && !whole) {
    bar(cell, null, 0, row.progress_text || (row.ended === null && row.started !== null ? "no progress told" : "–"));
    return;
  }
  const parts = [whole ? `${percent(row.done_count, whole)} · ${rounded(row.done_count)} of ${rounded(whole)}` : rounded(row.done_count)];
  if (row.rate && row.ended === null) parts.push(`${rounded(row.rate)}/s`);
  if (row.eta !== null && row.ended === null) parts.push(`${ago(row.eta)} left`);
  bar(cell, row.done_count, whole, parts.join(" · "), row.ended === null ? "info" : TONES[row.status]);
}

const lasted = (row) => (row.started === null ? null : (row.ended === null ? server.now : row.ended) - row.started);

export const COLUMNS = {
  listeners: [
    name("server", "Server"), words("address", "Address", { kind: "code" }),
    words("tls", "TLS", { show: (row) => (row.tls ? "yes" : "no"), wide: true }), words("login", "Login", { show: (row) => (row.login ? "yes" : "no"), wide: true }),
    figure("connections", "Clients", count), figure("refused_total", "Refused", count, { tone: (row) => (row.refused_total ? "warn" : "") }),
  ],
  connections: [
    figure("number", "No.", text), name("user", "User"), words("peer", "Address", { kind: "code", wide: true }), words("server", "Server", { wide: true }), worker,
    since("since", "For"), figure("requests", "Requests", count), perSecond({ title: "Requests a second" }),
    figure("bytes_in", "In", bytes, { wide: true }), figure("bytes_out", "Out", bytes, { wide: true }), figure("unsent", "Unsent", bytes, { wide: true, tone: (row) => (row.unsent > 65536 ? "warn" : "") }),
    figure("exports", "Exports", count, { wide: true, title: "Objects of ours that it holds" }), figure("running", "Running", count), figure("waiting", "Waiting", count, { wide: true }),
    words("waits_for", "Waits for", { grow: true }),
  ],
  calls: [
    name("method", "Method"), name("user", "User"), figure("connection", "Connection", text, { wide: true }), worker, figure("age", "Age", seconds, { tone: (row) => (row.age > 10 && row.items === null ? "warn" : "") }),
    words("where", "Runs in", { wide: true }), figure("items", "Items", count, { wide: true, title: "Items of a stream, or events of a topic, that have been sent" }), figure("bytes_out", "Out", bytes, { wide: true, title: "Bytes of a stream that have been sent" }),
    words("waits_for", "Waits for", { show: (row) => row.waits_for || "runs", grow: true }),
  ],
  slowest: [
    name("method", "Method"), name("user", "User"), words("peer", "Address", { kind: "code", wide: true }), { ...worker, wide: true }, figure("at", "At", clock), figure("seconds", "Took", seconds),
    chip("ended", "Ended with"), words("line", "Held the event loop at", { kind: "code", wide: true, grow: true }),
  ],
  methods: [
    name("method", "Method", { grow: true }), figure("calls", "Calls", count), figure("failed", "Failed", count, bad("failed")),
    figure("p50", "p50", seconds), figure("p99", "p99", seconds), figure("slowest", "Slowest", seconds, { wide: true }),
  ],
  objects: [
    name("class_name", "Class", { grow: true }), figure("count", "Objects", count),
    figure("growth_per_minute", "Growth a minute", null, { show: (row) => (row.growth_per_minute > 0 ? "+" : "") + rounded(row.growth_per_minute), tone: (row) => (row.growth_per_minute >= 1 ? "warn" : "") }),
    figure("holders", "Clients that hold some", count),
  ],
  pools: [
    name("name", "Pool"), words("kind", "Kind", { wide: true }), chip("state", "State"),
    figure("busy", "Busy", null, { kind: "barcell", draw: (cell, row) => bar(cell, row.busy, row.workers, `${row.busy} of ${row.workers}`, row.busy >= row.workers && row.queued ? "warn" : "info") }),
    figure("queued", "Queue", count, { tone: (row) => (row.queued > row.workers * 4 ? "warn" : "") }), figure("done", "Done", count), figure("failed", "Failed", count, bad("failed")),
    figure("killed", "Killed", count, { ...bad("killed"), wide: true }), figure("restarted", "Restarted", count, { wide: true }),
  ],
  tasks: [
    figure("number", "No.", text), words("command", "Command", { kind: "code", grow: true }), chip("status", "State"),
    figure("done_count", "Progress", null, { kind: "barcell", draw: progress, value: (row) => (row.total ? row.done_count / row.total : row.done_count), order: null }),
    figure("started", "Took", null, { show: (row) => seconds(lasted(row)), value: lasted, order: null }), name("owner", "Owner"), words("console", "Console", { wide: true }), figure("lines", "Lines", count, { wide: true }),
  ],
  topics: [
    name("name", "Topic", { grow: true }), worker, figure("subscribers", "Subscribers", count), figure("published", "Published", count), perSecond({ wide: true, title: "Published a second" }),
    figure("delivered", "Delivered", count, { wide: true }), figure("lagging", "Lagging", count, { wide: true, title: "Subscribers for which events wait", tone: (row) => (row.lagging ? "warn" : "") }),
    figure("buffered", "Buffered", count, { wide: true, title: "Events that wait" }), figure("dropped", "Dropped", count, { title: "Events that subscribers were too slow for", tone: (row) => (row.dropped ? "warn" : "") }),
    figure("missed", "Missed", count, { ...bad("missed"), wide: true, title: "Events that the bus has lost" }), words("bus", "Bus", { grow: true, wide: true, tone: (row) => (row.bus.includes("away") ? "bad" : "") }),
  ],
  log: [
    figure("at", "At", clock), chip("level", "Level"), words("namespace", "From", { kind: "code", wide: true }), words("text", "Text", { grow: true, kind: "wrap" }),
  ],
  certificates: [
    name("server", "Server"), name("subject", "Subject"), words("issuer", "Issuer", { wide: true }), figure("not_after", "Valid until", day),
    figure("days_left", "Days left", null, { show: (row) => count(Math.floor(row.days_left)), tone: (row) => (row.days_left < 7 ? "bad" : row.days_left < 30 ? "warn" : "") }),
    chip("state", "State"), words("file", "File", { kind: "code", wide: true, grow: true }),
  ],
};
