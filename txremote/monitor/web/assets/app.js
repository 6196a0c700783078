// The page: its frame, the login, the keyboard, and what is opened on top.

import { server } from "./columns.js";
import { el, setText } from "./dom.js";
import { clock } from "./format.js";
import { ask, Live } from "./live.js";
import { Details, Help } from "./panels.js";
import { makeView, NAMES, stateOf } from "./views.js";

class App {
  constructor(root) {
    this.root = root;
    this.session = null;
    this.started = null;
    this.view = null;
    this.filterTimer = null;
    this.live = new Live({
      news: (news) => this.news(news),
      lost: (text) => this.lost(text),
      found: () => this.found(),
      locked: () => this.login(),
    });
    this.frame();
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
  }

  frame() {
    this.links = NAMES.map(([name, title], n) =>
      el("a", { href: `#/${name}`, title: `Key ${n + 1}` }, el("kbd", { "aria-hidden": "true" }, String(n + 1)), title));
    this.state = el("span", { class: "state", role: "status" });
    this.version = el("span", { class: "version" });
    this.filter = el("input", { type: "search", placeholder: "Filter", "aria-label": "Filter rows", autocomplete: "off", spellcheck: "false", input: () => this.filtered(), maxlength: 200 });
    this.banner = el("div", { class: "banner", role: "alert", hidden: true });
    this.main = el("main", { id: "main", tabindex: "-1" });
    this.page = el("div", { class: "page" },
      el("a", { class: "skip", href: "#main", click: (event) => { event.preventDefault(); this.main.focus(); } }, "Skip to the data"),
      el("header", { class: "top" },
        el("span", { class: "brand" }, el("img", { src: "/assets/icon.svg", alt: "", width: 22, height: 22 }), el("h1", {}, "txremote"), this.version),
        this.state,
        el("label", { class: "filter" }, this.filter, el("kbd", { "aria-hidden": "true" }, "/")),
        el("button", { type: "button", class: "quiet", title: "Keys (?)", "aria-label": "Help", click: () => this.help.open() }, "?"),
        el("button", { type: "button", class: "quiet leave", click: () => this.leave() }, "Log out")),
      el("nav", { "aria-label": "Views" }, this.links),
      this.banner,
      this.main);
    this.help = new Help();
    this.details = new Details({ changed: (text) => this.toast(text), session: () => this.session });
    this.toasts = el("div", { class: "toasts", role: "status", "aria-live": "polite" });
  }

  async start() {
    try {
      this.session = await ask("/api/session.json");
    } catch (problem) {
      if (problem.status === 401) this.login();
      else { this.show(); this.lost(problem.text); setTimeout(() => this.start(), 2000); }
      return;
    }
    this.show();
    this.route();
  }

  show() { this.root.replaceChildren(this.page, this.help.node, this.details.node, this.toasts); }

  // -- the login

  login() {
    this.live.stop();
    this.details.close();
    const token = el("input", { type: "password", id: "token", autocomplete: "off", required: true, "aria-describedby": "why wrong" });
    const wrong = el("p", { id: "wrong", class: "wrong", role: "alert" });
    const button = el("button", { type: "submit", class: "main" }, "Log in");
    const enter = async (event) => {
      event.preventDefault();
      button.disabled = true;
      setText(wrong, "");
      try {
        await ask("/login", { method: "POST", body: token.value.trim(), headers: { "Content-Type": "text/plain" } });
        this.start();
      } catch (problem) {
        setText(wrong, problem.status === 403 ? "This is not the token." : problem.text);
        token.select();
      } finally {
        button.disabled = false;
      }
    };
    this.root.replaceChildren(el("form", { class: "login card", submit: enter },
      el("img", { src: "/assets/icon.svg", alt: "", width: 44, height: 44 }),
      el("h1", {}, "txremote"),
      el("p", { id: "why" }, "This page needs the token of the server. It is in a file that the server's log names: ",
        el("q", {}, "the admin site is on …, its token in FILE"), "."),
      el("label", { for: "token" }, "Token"), token, wrong, button));
    token.focus();
  }

  async leave() {
    try { await ask("/logout", { method: "POST", headers: { "X-CSRF-Token": this.session.csrf } }); } catch { /* the cookie expires */ }
    this.login();
  }

  // -- views

  route() {
    if (!this.session || !this.page.isConnected) return;
    const name = location.hash.replace("#/", "");
    const known = NAMES.find(([each]) => each === name) || NAMES[0];
    const more = { open: (row) => this.details.open(this.view.name, row), more: () => this.view.tables[this.view.name]?.cut && this.watch() };
    this.view = makeView(known[0], known[1], more);
    NAMES.forEach(([each], n) => (each === known[0] ? this.links[n].setAttribute("aria-current", "page") : this.links[n].removeAttribute("aria-current")));
    this.links[NAMES.indexOf(known)].scrollIntoView({ block: "nearest", inline: "center" });
    document.title = `${known[1]} · txremote`;
    this.filter.value = "";
    this.main.replaceChildren(this.view.node);
    this.main.setAttribute("aria-busy", "true");
    this.watch();
  }

  // Asks the server to choose where it has more rows than it sends.
  watch() {
    const query = { view: this.view.name };
    const table = this.view.tables[this.view.name];
    if (table && (table.cut || this.chosen)) {
      query.filter = table.filter;
      query.sort = table.order;
      this.chosen = Boolean(table.filter);
    }
    this.live.watch(query);
  }

  filtered() {
    const words = this.filter.value.trim().toLowerCase();
    this.view.filter = words;
    clearTimeout(this.filterTimer);
    const table = this.view.tables[this.view.name];
    if (table && (table.cut || this.chosen)) this.filterTimer = setTimeout(() => this.watch(), 300);
  }

  news(news) {
    const overview = news.overview;
    if (this.started !== null && overview.started !== this.started) {
      if (overview.version !== this.running) { location.reload(); return; }
      this.toast(`The server was started again at ${clock(overview.started)}.`);
      this.renew();
    }
    this.started = overview.started;
    this.running = overview.version;
    this.session.can_write = overview.can_write;
    server.now = overview.started + overview.uptime;
    setText(this.version, overview.version);
    this.page.classList.toggle("crew", overview.workers > 0);
    setText(this.state, stateOf(overview));
    this.state.dataset.tone = overview.state === "serving" ? "good" : overview.state === "stopped" ? "bad" : "warn";
    this.view.take(news);
    this.main.removeAttribute("aria-busy");
    this.details.tick(this.view);
  }

  async renew() {
    try { this.session = await ask("/api/session.json"); } catch { /* the stream tells */ }
  }

  lost(text) {
    setText(this.banner, `${text} What you see is of ${server.now ? clock(server.now) : "before"}. Trying again …`);
    this.banner.hidden = false;
    setText(this.state, "disconnected");
    this.state.dataset.tone = "bad";
    this.page.classList.add("stale");
  }

  found() {
    this.banner.hidden = true;
    this.page.classList.remove("stale");
  }

  toast(text) {
    const node = el("div", { class: "toast" }, text);
    this.toasts.append(node);
    setTimeout(() => node.remove(), 6000);
  }

  // -- the keyboard

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.page.isConnected || document.querySelector("dialog[open]")) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key === "Escape") { this.filter.value = ""; this.filtered(); this.filter.blur(); }
      if (event.key === "Enter") { this.filter.blur(); this.step(0); }
      return;
    }
    const view = NAMES[Number(event.key) - 1];
    if (view) location.hash = `#/${view[0]}`;
    else if (event.key === "/") { this.filter.focus(); this.filter.select(); }
    else if (event.key === "?") this.help.open();
    else if (event.key === "j" || event.key === "ArrowDown") this.step(1);
    else if (event.key === "k" || event.key === "ArrowUp") this.step(-1);
    else if (event.key === "Enter" && document.activeElement.tagName === "TR") document.activeElement.click();
    else return;
    event.preventDefault();
  }

  step(by) {
    const lines = [...this.main.querySelectorAll("tbody tr")];
    const at = lines.indexOf(document.activeElement);
    const next = lines[at < 0 ? (by < 0 ? lines.length - 1 : 0) : Math.max(0, Math.min(lines.length - 1, at + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }
}

new App(document.getElementById("app")).start();
