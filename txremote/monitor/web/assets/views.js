// The views: which tables and plots each has, in the order of their keys 1 to 9.

import { COLUMNS, server } from "./columns.js";
import { el, setText } from "./dom.js";
import { ago, bytes, count, rounded, seconds } from "./format.js";
import { Plot } from "./plot.js";
import { Table } from "./table.js";

const TITLES = {
  listeners: ["Servers", "server", "It serves nothing."],
  connections: ["Connections", "number", "Nobody is connected."],
  calls: ["Under way", "-age", "No call is under way."],
  slowest: ["Slowest of the last minutes", "-seconds", "No call took long."],
  methods: ["By method", "-calls", "No method was called yet."],
  objects: ["Exported objects", "-count", "No client holds an object of the server's."],
  pools: ["Pools", "name", "There is no pool: --pool processes:4 makes one."],
  tasks: ["Tasks", "-number", "There is no task, or no console."],
  log: ["Warnings and errors", "-at", "No warning since the start."],
  certificates: ["Certificates", "days_left", "No server has a certificate."],
  topics: ["Topics", "name", "The program has no topic."],
};

function table(key, more) {
  const [title, sort, empty] = TITLES[key];
  return new Table({ title, sort, empty, key, columns: COLUMNS[key], ...more });
}

class View {
  constructor(name, title, tables, more) {
    this.name = name;
    this.title = title;
    this.tables = Object.fromEntries(tables.map((key) => [key, table(key, more)]));
    this.node = el("div", { class: `view ${name}` }, Object.values(this.tables).map((each) => each.node));
  }

  take(news) {
    for (const [key, changes] of Object.entries(news.tables)) if (this.tables[key]) this.tables[key].take(changes);
    for (const each of Object.values(this.tables)) each.draw();
  }

  set filter(words) {
    for (const each of Object.values(this.tables)) { each.filter = words; each.draw(); }
  }
}

const TILES = [
  ["Connections", (o) => count(o.connections)],
  ["Calls a second", (o) => rounded(o.calls_per_second)],
  ["Under way", (o) => count(o.calls_running), (o) => (o.streams_sent + o.streams_read ? `${count(o.streams_sent + o.streams_read)} streams` : "")],
  ["Failed", (o) => count(o.calls_failed), (o) => `of ${count(o.calls_total)} calls`],
  ["p50", (o) => seconds(o.p50), (o) => `p99 ${seconds(o.p99)}`],
  ["Event-loop lag", (o) => seconds(o.loop_lag), null, (o) => (o.loop_lag > 0.1 ? "bad" : "")],
  ["Memory", (o) => bytes(o.rss), (o) => `${count(o.threads)} threads`],
  ["Open files", (o) => count(o.open_files), (o) => `of ${count(o.max_files)}`, (o) => (o.open_files > 0.8 * o.max_files ? "bad" : "")],
];

class Overview extends View {
  constructor(name, title, more) {
    super(name, title, ["listeners", "pools", "slowest"], more);
    this.series = { step: 5, at: [], columns: {} };
    this.tiles = TILES.map(([label]) => {
      const value = el("dd", { class: "value" });
      const under = el("dd", { class: "under" });
      return { value, under, node: el("div", { class: "tile card" }, el("dt", {}, label), value, under) };
    });
    this.plots = [
      new Plot("Calls a second", [{ column: "calls", label: "all", kind: "one" }, { column: "failed", label: "failed", kind: "bad" }], rounded, { scale: 0.2 }),
      new Plot("Latency", [{ column: "p99", label: "p99", kind: "two" }, { column: "p50", label: "p50", kind: "one" }], seconds, { least: 0.001 }),
      new Plot("Event-loop lag", [{ column: "loop_lag", label: "lag", kind: "three" }], seconds, { least: 0.005 }),
      new Plot("Memory", [{ column: "rss", label: "resident", kind: "four" }], bytes, { binary: true }),
      new Plot("Connections", [{ column: "connections", label: "clients", kind: "one" }], count, { least: 4 }),
      new Plot("Objects and queue", [{ column: "exports", label: "exported", kind: "four" }, { column: "queued", label: "queued jobs", kind: "two" }], count, { least: 4 }),
    ];
    this.node.prepend(
      el("dl", { class: "tiles" }, this.tiles.map((tile) => tile.node)),
      el("div", { class: "plots" }, this.plots.map((plot) => plot.node)),
    );
  }

  take(news) {
    super.take(news);
    const overview = news.overview;
    TILES.forEach(([, value, under, tone], n) => {
      setText(this.tiles[n].value, value(overview));
      setText(this.tiles[n].under, under ? under(overview) : "");
      this.tiles[n].node.dataset.tone = tone ? tone(overview) : "";
    });
    if (news.first) this.series = { step: 5, at: [], columns: {} };
    if (news.series) this.add(news.series);
    for (const plot of this.plots) plot.draw(this.series, server.now);
  }

  add(points) {
    this.series.step = points.step;
    this.series.at = [...this.series.at, ...points.at].slice(-720);
    for (const [name, values] of Object.entries(points.columns)) {
      this.series.columns[name] = [...(this.series.columns[name] || []), ...values].slice(-720);
    }
  }
}

export const NAMES = [
  ["overview", "Overview"], ["connections", "Connections"], ["calls", "Calls"], ["objects", "Objects"],
  ["pools", "Pools"], ["tasks", "Tasks"], ["log", "Log"], ["certificates", "Certificates"],
  ["topics", "Topics"],
];

const OTHERS = { calls: ["calls", "slowest", "methods"], certificates: ["certificates", "listeners"] };

export const makeView = (name, title, more) =>
  name === "overview" ? new Overview(name, title, more) : new View(name, title, OTHERS[name] || [name], more);

export const stateOf = (overview) => `${overview.state}, up ${ago(overview.uptime)}${overview.workers ? `, ${overview.workers} workers` : ""}`;
