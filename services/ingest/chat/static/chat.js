"use strict";
// The web chat. `Connection` keeps what is said safe, in order, and knows no page; the rest shows it.
(() => {
const id = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
const AGAIN = ["unavailable", "rate-limited"];

// One session over as many sockets as needed. `store` is like localStorage, `open(url)` makes a
// WebSocket; `on` is told entry, sending, refused, status, online, begin, ready.
class Connection {
  constructor({ url, key, store, open, on, locale, pause = 500, patience = 1e4 }) {
    Object.assign(this, { url, key, store, open, on, locale, pause, patience });
    this.last = this.tries = this.count = 0;
    this.outbox = new Map();
    this.collect();
  }

  start() {
    if (this.socket) return;
    clearTimeout(this.retry);
    const socket = (this.socket = this.open(this.url));
    const mine = (handle) => (event) => socket === this.socket && handle(event);
    this.alarm();
    socket.onopen = mine(() => {
      this.token = this.store.getItem(this.key + "token");
      this.put({ type: "hello", token: this.token, last: this.last, locale: this.locale });
    });
    socket.onmessage = mine((event) => this.take(JSON.parse(event.data)));
    socket.onclose = mine((event) => this.lost(event.code));
  }

  stop() {
    const socket = this.socket;
    this.socket = this.ready = this.awaited = null;
    [this.retry, this.watch, this.pace].map(clearTimeout);
    socket?.close();
  }

  // Keeps an item until the server says that it is safe, whatever happens to this page.
  say(item) {
    const full = { ...item, id: id() };
    const name = `${this.key}out:${Date.now() * 1000 + this.count++}:${full.id}`;
    this.outbox.set(full.id, { name, item: full });
    try {
      this.store.setItem(name, JSON.stringify(full));
    } catch {} // full: kept while the page is
    this.on.sending?.(full);
    this.start();
    this.flush();
  }

  // What is not safe yet, of earlier pages and other tabs, too.
  collect() {
    const prefix = this.key + "out:";
    const names = Array.from({ length: this.store.length }, (_, n) => this.store.key(n) || "");
    for (const name of names.filter((one) => one.startsWith(prefix)).sort()) {
      const item = JSON.parse(this.store.getItem(name));
      if (!item || this.outbox.has(item.id)) continue;
      this.outbox.set(item.id, { name, item });
      this.on.sending?.(item);
    }
  }

  flush() {
    const [next] = this.outbox.values();
    if (!this.ready || this.awaited || !next) return;
    this.awaited = next.item.id;
    this.put(next.item);
    this.alarm();
  }

  settle(id) {
    const kept = this.outbox.get(id);
    if (this.awaited === id) this.awaited = null;
    if (!kept) return null;
    this.outbox.delete(id);
    this.store.removeItem(kept.name);
    return kept.item;
  }

  take(frame) {
    this.alarm();
    if (frame.type === "welcome") this.welcome(frame);
    else if (frame.type === "ack") {
      this.settle(frame.id);
      this.flush();
    } else if (frame.type === "error") this.problem(frame);
    else if (frame.type === "status") this.on.status?.(frame);
    else if (frame.type === "moving") this.moving = true;
    else if (frame.seq > this.last) {
      if (frame.seq !== this.last + 1) return this.lost(0);
      this.last = frame.seq;
      if (frame.from === "visitor") this.settle(frame.id);
      this.on.entry?.(frame);
      if (this.last >= this.goal) this.on.ready?.();
      this.flush();
    }
  }

  welcome(frame) {
    const kept = this.store.getItem(this.key + "token");
    if (frame.token && kept && kept !== this.token) return this.lost(0); // another tab did
    if (frame.token) this.store.setItem(this.key + "token", frame.token);
    if (frame.token || frame.after !== this.last) {
      this.on.begin?.();
      this.outbox.forEach(({ item }) => this.on.sending?.(item));
    }
    this.last = frame.after;
    this.goal = frame.last;
    this.tries = 0;
    this.ready = true;
    this.on.online?.(true);
    if (this.last >= this.goal) this.on.ready?.();
    this.collect();
    this.flush();
  }

  problem({ id, code }) {
    if (AGAIN.includes(code)) {
      this.awaited = this.awaited || "later";
      clearTimeout(this.pace);
      this.pace = setTimeout(() => {
        this.awaited = null;
        this.flush();
      }, 2 * this.pause * (1 + Math.random()));
    } else if (id) {
      const item = this.settle(id);
      if (item) this.on.refused?.(item, code);
      this.flush();
    }
  }

  lost(code) {
    const delay = this.moving
      ? this.pause * 6 * Math.random()
      : Math.min(6e4, this.pause * 2 ** this.tries++) * (0.5 + Math.random() / 2);
    this.moving = false;
    this.stop();
    if (code !== 4001) this.on.online?.(false);
    if (code !== 4001 || this.outbox.size) this.retry = setTimeout(() => this.start(), delay);
  }

  put(frame) {
    if (this.socket.readyState === 1) this.socket.send(JSON.stringify(frame));
  }

  // After silence: ask whether anybody is there, then try another socket.
  alarm() {
    clearTimeout(this.watch);
    const wait = this.ready && !this.awaited ? 2.5 * this.patience : this.patience;
    this.watch = setTimeout(() => {
      if (!this.ready || this.awaited) return this.lost(0);
      this.put({ type: "ping" });
      this.watch = setTimeout(() => this.lost(0), this.patience);
    }, wait);
  }
}

if (typeof module === "object") return void (module.exports = { Connection });

const TEXTS = {
  title: "Chat", open: "Chat with us", close: "Close chat", end: "End chat", send: "Send",
  label: "Your message", you: "You", agent: "We", bot: "Assistant", system: "Notice",
  sending: "Sending…", offline: "Connecting…", ended: "The chat has ended.",
  position: "You are number {n} in the queue.", wait: "The wait is about {n} min.",
  away: "Nobody is here right now.", opens: "We are back {t}.",
  leave: "Leave an address instead", chat: "Write here instead", email: "E-mail",
  phone: "or telephone, with country code", name: "Name (optional)", about: "What is it about?",
  left: "Thank you. We will answer there.", refused: "Not sent: {t}.", "too-long": "too long",
  "bad-address": "please check the address", other: "please try again",
};
const CSS = `:host{all:initial;position:fixed;inset-block-end:1rem;inset-inline-end:1rem;z-index:2147483000;
font:16px/1.4 system-ui,sans-serif;color:#1a1a1a}
*{box-sizing:border-box;font:inherit;color:inherit}[hidden]{display:none!important}
button,input,textarea{border:1px solid #666;border-radius:.4rem;padding:.4rem .6rem;background:#fff}
button{cursor:pointer;color:#1f4e79}.main,header{background:#1f4e79;color:#fff}:focus-visible{outline:3px solid #e08a00;outline-offset:2px}
.panel{display:flex;flex-direction:column;width:min(23rem,calc(100vw - 2rem));height:min(34rem,calc(100vh - 2rem));
background:#fff;border:1px solid #666;border-radius:.7rem;overflow:hidden}
header{display:flex;gap:.5rem;align-items:center;padding:.6rem}h2{flex:1;margin:0}
.log{flex:1;min-height:5rem;overflow:auto;padding:.6rem}.log p{margin:0 0 .6rem;max-width:85%;padding:.4rem;border-radius:.4rem;
background:#eef1f4;white-space:pre-wrap;overflow-wrap:anywhere}.log .visitor{margin-inline-start:auto;background:#dcebfa}
small,span{display:block}small{font-size:.75rem;color:#444}.state{margin:0;padding:0 .6rem;font-size:.85rem}
form{display:grid;gap:.4rem;padding:.6rem;overflow:auto}input,textarea{width:100%;resize:none}.link{border:0;text-decoration:underline}`;

const script = document.currentScript;
const account = script.dataset.account || "main";
const key = `throughline:${account}:`;
const say = (name, values = {}) => {
  const own = script.dataset["text" + name.replace(/(^|-)(.)/g, (_, __, c) => c.toUpperCase())];
  return (own || TEXTS[name] || "").replace(/\{(\w)\}/g, (_, v) => values[v]);
};
const el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

let store;
try {
  store = localStorage;
} catch { // not allowed here: what is said lives as long as the page
  const kept = {};
  store = { length: 0, getItem: (k) => kept[k], setItem: (k, v) => (kept[k] = v), removeItem: (k) => delete kept[k] };
}

const field = (tag, name, more) => el("label", { text: say(name) }, el(tag, { name, dir: "auto", maxlength: 4000, ...more }));
const go = () => el("button", { class: "main", text: say("send") });
const log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": say("title"), tabindex: 0 });
const state = el("p", { class: "state", role: "status" });
const label = field("textarea", "label", { rows: 3 });
const write = label.lastChild;
const composer = el("form", { onsubmit: (e) => { e.preventDefault(); send(); } },
  label, go());
const offline = el("form", { hidden: "", onsubmit: (e) => { e.preventDefault(); leave(); } },
  field("input", "email", { type: "email", autocomplete: "email" }), field("input", "phone", { type: "tel", autocomplete: "tel" }),
  field("input", "name", { autocomplete: "name" }), field("textarea", "about", { rows: 2, required: "" }), go());
const swap = el("button", { class: "link", onclick: () => { chosen = true; form(offline.hidden); focus(); } });
const end = el("button", { text: say("end"), hidden: "", onclick: () => { connection.say({ type: "end" }); write.focus(); } });
const launcher = el("button", { class: "main", "aria-haspopup": "dialog", text: say("open"), onclick: () => show(true) });
const panel = el("section", { class: "panel", role: "dialog", "aria-label": say("title"), hidden: "", onkeydown: (e) => keys(e) },
  el("header", {}, el("h2", { text: say("title") }), end, el("button", { text: "×", "aria-label": say("close"), onclick: () => show(false) })),
  log, state, swap, composer, offline);

let unread = 0, online = true, status = {}, chosen = false, notice = "";
const shown = new Map();

const focus = () => (offline.hidden ? write : offline.elements[0]).focus();
const form = (on) => {
  offline.hidden = !on;
  composer.hidden = on;
  swap.textContent = say(on ? "chat" : "leave");
};
const tell = () => {
  const { position, wait_seconds: wait, opens_at: opens } = status;
  const away = (status.agents_present ?? status.open) === false;
  if (!chosen) form(away);
  const when = opens && new Date(opens).toLocaleString([], { weekday: "long", hour: "numeric", minute: "2-digit" });
  const told = [
    !online && say("offline"), notice, away && say("away"), away && when && say("opens", { t: when }),
    position != null && say("position", { n: position }), wait != null && say("wait", { n: Math.ceil(wait / 60) }),
  ].filter(Boolean).join(" ");
  if (state.textContent !== told) state.textContent = told;
};
const line = (entry, pending) => {
  const known = shown.get(entry.id);
  if (known) return void (known.querySelector("small").textContent = pending ? say("sending") : stamp(entry));
  const made = el("p", { class: entry.from }, el("small", { text: pending ? say("sending") : stamp(entry) }), el("span", { dir: "auto", text: entry.text }));
  for (const file of entry.files || []) {
    if (file.url.startsWith("https://")) made.append(" ", el("a", { href: file.url, rel: "noreferrer", target: "_blank", text: file.name || file.url }));
  }
  if (pending) made.dataset.pending = "";
  shown.set(entry.id, made);
  log.insertBefore(made, pending ? null : log.querySelector("[data-pending]"));
  log.scrollTop = log.scrollHeight;
};
const stamp = (entry) =>
  `${say(entry.from === "visitor" ? "you" : entry.from)} · ${new Date(entry.at).toLocaleTimeString([], { timeStyle: "short" })}`;
const send = () => {
  const text = write.value.trim();
  if (!text) return;
  notice = "";
  connection.say({ type: "message", text });
  write.value = "";
};
const leave = () => {
  const { email, phone, name, about } = offline.elements;
  notice = "";
  connection.say({ type: "offline", email: email.value, phone: phone.value, name: name.value, text: about.value });
  about.value = "";
};
const count = (number) => (launcher.textContent = say("open") + ((unread = number) ? ` (${unread})` : ""));
const show = (on) => {
  panel.hidden = !on;
  launcher.hidden = on;
  if (on) {
    connection.start();
    count(0);
    focus();
    log.scrollTop = log.scrollHeight;
  } else launcher.focus();
};
const keys = (e) => {
  if (e.key === "Escape") return show(false);
  if (e.key === "Enter" && e.target === write && !e.shiftKey && !e.isComposing) return e.preventDefault(), send();
  const stops = [...panel.querySelectorAll("button,input,textarea,a,.log")].filter((one) => one.getClientRects().length);
  if (e.shiftKey) stops.reverse();
  if (e.key !== "Tab" || root.activeElement !== stops.at(-1)) return;
  e.preventDefault();
  stops[0].focus();
};

const url = new URL(`${account}/socket`, script.src);
url.protocol = url.protocol.replace("http", "ws");
const connection = new Connection({
  url: url.href, key, store, locale: navigator.language, open: (to) => new WebSocket(to),
  on: {
    begin: () => { log.replaceChildren(); shown.clear(); log.setAttribute("aria-busy", "true"); },
    ready: () => log.removeAttribute("aria-busy"),
    online: (on) => { online = on; tell(); },
    status: (frame) => { status = frame; tell(); },
    sending: (item) => { if (item.type === "message") line({ ...item, from: "visitor" }, true); },
    refused: (item, code) => {
      shown.get(item.id)?.remove();
      const back = item.type === "message" ? write : offline.elements.about;
      back.value ||= item.text || "";
      notice = say("refused", { t: say(code) || say("other") });
      tell();
    },
    entry: (entry) => {
      const told = { form: say("left"), ended: say("ended") }[entry.type];
      line(told ? { ...entry, from: "system", text: `${entry.text}\n${told}`.trim() } : entry);
      delete shown.get(entry.id).dataset.pending;
      end.hidden = !entry.open;
      entry.open ? store.setItem(key + "on", "1") : store.removeItem(key + "on");
      if (panel.hidden && entry.from !== "visitor" && !log.hasAttribute("aria-busy")) count(unread + 1);
    },
  },
});

const host = el("div", { lang: script.dataset.lang || "en", dir: script.dataset.dir || document.dir || "ltr" });
const root = host.attachShadow({ mode: "open" });
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
root.adoptedStyleSheets = [sheet];
root.append(launcher, panel);
form(false);
const place = () => document.body.append(host);
document.body ? place() : addEventListener("DOMContentLoaded", place);
const resume = () => store.getItem(key + "on") && connection.start();
addEventListener("online", resume);
addEventListener("pageshow", resume);
resume();
addEventListener("pagehide", () => connection.stop());
})();
