// A plot of one or two columns over the last hour at most, as SVG; under the pointer it tells the values.

import { el, setText, svg } from "./dom.js";
import { ago, clock } from "./format.js";

const WIDTH = 600;
const HEIGHT = 150;
const TOP = 10;
const BOTTOM = 128;
const HOUR = 3600;
const LEAST = 300; // seconds that a plot spans: of a server that was just started

// The next larger of 1, 2, 5, 10, 20...; for sizes of memory a power of two.
function roundedUp(value, binary) {
  if (!(value > 0)) return binary ? 1024 * 1024 : 1;
  if (binary) return 2 ** Math.ceil(Math.log2(value * 1.02));
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

export class Plot {
  // lines: [{column, label, kind}], the first is filled; show: how a value is written
  constructor(title, lines, show, { scale = 1, least = 0, binary = false } = {}) {
    Object.assign(this, { lines, show, scale, least, binary, series: null });
    this.paths = lines.map((line) => svg("path", { class: `line ${line.kind}` }));
    this.area = svg("path", { class: `area ${lines[0].kind}` });
    this.cross = svg("line", { class: "cross", y1: TOP, y2: BOTTOM, visibility: "hidden" });
    this.values = lines.map(() => el("b", { class: "value" }));
    this.when = el("span", { class: "when" });
    const grid = [TOP, (TOP + BOTTOM) / 2, BOTTOM].map((y) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y }));
    this.drawing = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, preserveAspectRatio: "none" },
      grid, this.area, this.paths, this.cross,
    );
    this.first = el("span", {});
    this.middle = el("span", {});
    this.labels = el("div", { class: "axis", "aria-hidden": "true" }, this.first, this.middle, el("span", {}, "now"));
    this.most = el("span", { class: "most", "aria-hidden": "true" });
    const legend = lines.map((line, n) => el("span", { class: `key ${line.kind}` }, line.label, " ", this.values[n]));
    this.node = el(
      "figure",
      { class: "plot card" },
      el("figcaption", {}, el("h3", {}, title), this.when, el("span", { class: "legend" }, legend)),
      el("div", { class: "drawing" }, this.drawing, this.most),
      this.labels,
    );
    this.drawing.addEventListener("pointermove", (event) => this.point(event));
    this.drawing.addEventListener("pointerleave", () => this.leave());
  }

  draw(series, now) {
    this.series = series;
    this.now = now;
    this.span = Math.min(HOUR, Math.max(LEAST, now - (series.at[0] ?? now)));
    setText(this.first, `${ago(this.span)} ago`);
    setText(this.middle, ago(this.span / 2));
    const found = this.lines.map((line) => (series.columns[line.column] || []).map((v) => (v === null ? null : v * this.scale)));
    const highest = Math.max(this.least, ...found.map((values) => values.reduce((most, v) => (v > most ? v : most), 0)));
    const most = roundedUp(highest, this.binary);
    const x = (n) => WIDTH * (1 - (now - series.at[n]) / this.span);
    const y = (value) => BOTTOM - ((BOTTOM - TOP) * Math.min(value, most)) / most;
    found.forEach((values, n) => {
      const parts = pieces(values, series, x);
      const path = parts.map((part) => "M" + part.map((m) => `${x(m).toFixed(1)},${y(values[m]).toFixed(1)}`).join("L")).join("");
      this.paths[n].setAttribute("d", path);
      if (n === 0) {
        this.area.setAttribute(
          "d",
          parts.map((part) => `M${x(part[0]).toFixed(1)},${BOTTOM}L` + part.map((m) => `${x(m).toFixed(1)},${y(values[m]).toFixed(1)}`).join("L") + `L${x(part.at(-1)).toFixed(1)},${BOTTOM}Z`).join(""),
        );
      }
    });
    setText(this.most, this.show(most));
    this.found = found;
    if (!this.pointed) this.tell(series.at.length - 1);
  }

  tell(n) {
    this.found.forEach((values, m) => setText(this.values[m], n >= 0 ? this.show(values[n]) : "–"));
    setText(this.when, this.pointed && n >= 0 ? clock(this.series.at[n]) : "");
  }

  point(event) {
    if (!this.series || !this.series.at.length) return;
    const box = this.drawing.getBoundingClientRect();
    const at = this.now - this.span * (1 - (event.clientX - box.left) / box.width);
    const times = this.series.at;
    let nearest = 0;
    times.forEach((time, n) => { if (Math.abs(time - at) < Math.abs(times[nearest] - at)) nearest = n; });
    this.pointed = true;
    const x = WIDTH * (1 - (this.now - times[nearest]) / this.span);
    for (const [name, value] of [["x1", x], ["x2", x], ["visibility", "visible"]]) this.cross.setAttribute(name, value);
    this.tell(nearest);
  }

  leave() {
    this.pointed = false;
    this.cross.setAttribute("visibility", "hidden");
    if (this.series) this.tell(this.series.at.length - 1);
  }
}

// The runs of points that belong together: a gap is where nothing was measured.
function pieces(values, series, x) {
  const found = [];
  let part = [];
  values.forEach((value, n) => {
    const gap = n > 0 && series.at[n] - series.at[n - 1] > series.step * 2.5;
    if (gap || value === null) { if (part.length) found.push(part); part = []; }
    if (value !== null && x(n) >= 0) part.push(n);
  });
  if (part.length) found.push(part);
  return found;
}
