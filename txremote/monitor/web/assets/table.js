// A table whose rows come and go: sorted, filtered, and drawn with as few changes as can be.

import { el, setText } from "./dom.js";

export class Table {
  // columns: [{name, label, value(row), show(row), kind, wide, order}], where value is for sorting here,
  // and order the field that the server sorts by in its stead: -FIELD the other way round, null for none;
  // wide is not shown on a narrow screen, and crewed only where there are workers
  constructor({ title, columns, sort, key, empty, open, more }) {
    Object.assign(this, { title, columns, key, empty, open, more, rows: new Map(), drawn: new Map() });
    this.sort = sort;
    this.filter = "";
    this.total = 0;
    this.heads = columns.map((column) => this.head(column));
    this.body = el("tbody", {});
    this.note = el("p", { class: "note", role: "status" });
    this.table = el(
      "table",
      {},
      el("caption", { class: "unseen" }, title),
      el("thead", {}, el("tr", {}, this.heads)),
      this.body,
    );
    this.count = el("span", { class: "count" });
    this.node = el(
      "section",
      { class: "card tabled", "aria-label": title, "data-table": key },
      el("header", {}, el("h2", {}, title), this.count),
      el("div", { class: "scroll", tabindex: "-1" }, this.table),
      this.note,
    );
  }

  head(column) {
    const button = el("button", { type: "button", click: () => this.sortBy(column.name) }, column.label);
    return el("th", { scope: "col", class: classOf(column), title: column.title }, button);
  }

  sortBy(name) {
    const down = this.sort.replace("-", "") === name ? !this.sort.startsWith("-") : isNumber(this.columns.find((c) => c.name === name));
    this.sort = (down ? "-" : "") + name;
    this.draw();
    if (this.more) this.more();
  }

  // Takes the news of a stream about this table; see events.py
  take(news) {
    if (news.whole) this.rows.clear();
    for (const key of news.gone) this.rows.delete(key);
    for (const [key, row] of news.set) this.rows.set(key, this.prepared(row, this.rows.get(key)));
    this.total = news.total;
  }

  prepared(row, before) {
    row.words = Object.values(row).filter((v) => v !== null).join("\n").toLowerCase();
    const counted = "requests" in row ? "requests" : "published" in row ? "published" : null;
    if (counted) {
      row.taken = performance.now();
      row.per_second = before && row.taken > before.taken ? ((row[counted] - before[counted]) * 1000) / (row.taken - before.taken) : null;
    }
    return row;
  }

  // How the server has to sort, for the rows that come first here to be among those it sends.
  get order() {
    const { name, order = name } = this.columns.find((each) => each.name === this.sort.replace("-", ""));
    if (order === null) return "";
    const down = this.sort.startsWith("-") !== order.startsWith("-");
    return (down ? "-" : "") + order.replace("-", "");
  }

  get cut() { return this.total > this.rows.size; }

  chosen() {
    const name = this.sort.replace("-", "");
    const column = this.columns.find((each) => each.name === name);
    const sign = this.sort.startsWith("-") ? -1 : 1;
    const found = [...this.rows].filter(([, row]) => !this.filter || row.words.includes(this.filter));
    return found.sort(([, a], [, b]) => sign * compared(column.value(a), column.value(b)));
  }

  draw() {
    const found = this.chosen();
    const name = this.sort.replace("-", "");
    this.columns.forEach((column, n) => {
      if (column.name === name) this.heads[n].setAttribute("aria-sort", this.sort.startsWith("-") ? "descending" : "ascending");
      else this.heads[n].removeAttribute("aria-sort");
    });
    const wanted = new Set(found.map(([key]) => key));
    for (const [key, line] of this.drawn) {
      if (!wanted.has(key)) { line.node.remove(); this.drawn.delete(key); }
    }
    let place = this.body.firstChild;
    for (const [key, row] of found) {
      const line = this.drawn.get(key) || this.line(key);
      this.columns.forEach((column, n) => this.cell(line.cells[n], column, row));
      if (line.node === place) place = place.nextSibling;
      else this.body.insertBefore(line.node, place);
    }
    setText(this.count, this.filter ? `${found.length} of ${this.total}` : String(this.total));
    setText(this.note, this.told(found.length));
    this.table.classList.toggle("bare", !found.length);
  }

  told(shown) {
    if (!this.total && !this.filter) return this.empty;
    if (!shown) return `None of ${this.total} has "${this.filter}" in it.`;
    return this.cut ? `These are ${this.rows.size} of ${this.total}: filter or sort to see others.` : "";
  }

  line(key) {
    const cells = this.columns.map((column) => el("td", { class: classOf(column) }));
    const node = el("tr", { "data-key": key, tabindex: "-1", click: () => this.open && this.open(this.rows.get(key)) }, cells);
    if (this.open) node.classList.add("opens");
    const line = { node, cells };
    this.drawn.set(key, line);
    return line;
  }

  cell(cell, column, row) {
    if (column.draw) { column.draw(cell, row); return; }
    setText(cell, column.show(row));
    const tone = column.tone ? column.tone(row) : "";
    if (cell.dataset.tone !== tone) cell.dataset.tone = tone;
  }
}

const isNumber = (column) => column.kind === "number";
const classOf = (column) => `${column.kind || ""}${column.wide ? " wide" : ""}${column.grow ? " grow" : ""}${column.crewed ? " crewed" : ""}`.trim();

function compared(a, b) {
  const none = (v) => v === null || v === undefined || v === "";
  if (none(a) || none(b)) return none(b) - none(a);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
