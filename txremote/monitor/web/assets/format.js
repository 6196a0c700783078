// Figures as people read them. Every function takes null for "not known".

const NONE = "–";
const plain = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? NONE : plain.format(Math.round(value)));

export const rounded = (value) =>
  value === null || value === undefined ? NONE : value >= 100 ? plain.format(Math.round(value)) : short.format(value);

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1000 || unit === "GiB") return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return NONE;
}

// How long something takes: 340 µs, 12 ms, 1.5 s, 4 min
export function seconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0 ms";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 0.0995) return `${(value * 1000).toFixed(value < 0.00995 ? 1 : 0)} ms`;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  return ago(value);
}

// How long something has lasted: 4 s, 12 min, 3 h 20 min, 5 d 2 h
export function ago(value) {
  if (value === null || value === undefined) return NONE;
  const s = Math.max(0, Math.floor(value));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s < 600 && s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function clock(unix) {
  if (unix === null || unix === undefined) return NONE;
  const when = new Date(unix * 1000);
  const time = when.toLocaleTimeString("en-GB");
  const today = when.toDateString() === new Date().toDateString();
  return today ? time : `${day(unix)} ${time}`;
}

export const day = (unix) =>
  unix === null || unix === undefined ? NONE : new Date(unix * 1000).toLocaleDateString("sv-SE");

export const text = (value) => (value === null || value === undefined || value === "" ? NONE : String(value));

export const percent = (part, whole) => (whole ? `${Math.floor((100 * part) / whole)} %` : NONE);
