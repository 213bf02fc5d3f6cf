// The widget's own `Connection` in node, over sockets that break: `node widget.cjs URL ORIGIN COUNT SEED`.
// It says COUNT things over ever new sockets and "pages", then waits for a line on standard input:
// the number of the last entry to be told. Prints what it was told, and what it still holds.
"use strict";
const crypto = require("node:crypto");
globalThis.crypto ??= crypto.webcrypto; // which node has by itself since 19
const net = require("node:net");
const path = require("node:path");
const { Connection } = require(path.join(__dirname, "../../services/ingest/chat/static/chat.js"));

const [url, origin, count, seed] = process.argv.slice(2);
let state = Number(seed);
const chance = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);

// As much of RFC 6455 as our server speaks: text, close and ping frames in one piece.
class Socket {
  constructor(to) {
    const { hostname, port, pathname } = new URL(to);
    this.readyState = 0;
    this.rest = Buffer.alloc(0);
    this.wire = net.connect(Number(port), hostname, () =>
      this.wire.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\nOrigin: ${origin}\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString("base64")}\r\n\r\n`
      )
    );
    this.wire.on("data", (data) => this.read(data));
    this.wire.on("error", () => {});
    this.wire.on("close", () => this.end(1006));
  }
  read(data) {
    this.rest = Buffer.concat([this.rest, data]);
    if (this.readyState === 0) {
      const head = this.rest.indexOf("\r\n\r\n");
      if (head < 0) return;
      if (!this.rest.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) return this.wire.destroy();
      this.rest = this.rest.subarray(head + 4);
      this.readyState = 1;
      this.onopen({});
    }
    while (this.rest.length >= 2) {
      let size = this.rest[1] & 127, start = 2;
      if (size === 126) [size, start] = [this.rest.length < 4 ? Infinity : this.rest.readUInt16BE(2), 4];
      if (this.rest.length < start + size) return;
      const code = this.rest[0] & 15, body = this.rest.subarray(start, start + size);
      this.rest = this.rest.subarray(start + size);
      if (code === 1) this.onmessage({ data: body.toString() });
      if (code === 8) this.end(body.readUInt16BE(0));
      if (code === 9) this.frame(10, body);
    }
  }
  frame(code, body) {
    const size = body.length < 126 ? [body.length | 128] : [254, body.length >> 8, body.length & 255];
    const mask = crypto.randomBytes(4);
    const masked = body.map((byte, at) => byte ^ mask[at % 4]);
    this.wire.write(Buffer.concat([Buffer.from([128 | code, ...size]), mask, masked]));
  }
  send(text) {
    this.frame(1, Buffer.from(text));
  }
  end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.wire.destroy();
    this.onclose({ code });
  }
  close() {
    this.wire.destroy();
  }
}

const kept = new Map();
const store = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
  removeItem: (key) => kept.delete(key),
  key: (n) => [...kept.keys()][n] ?? null,
  get length() { return kept.size; },
};
const opened = [];
let told, connection;

const page = () => {
  connection?.stop();
  told = [];
  connection = new Connection({
    url, store, key: "t:", locale: "en", pause: 4, patience: 2000,
    open: (to) => {
      const socket = new Socket(to);
      opened.push(socket);
      return socket;
    },
    on: { entry: (entry) => told.push([entry.seq, entry.from, entry.text]), begin: () => (told = []) },
  });
  connection.start();
};

const pause = (most) => new Promise((done) => setTimeout(done, most * chance()));
const until = async (holds) => { while (!holds()) await pause(20); };

(async () => {
  let expected = Infinity;
  process.stdin.on("data", (line) => (expected = Number(line)));
  page();
  for (let number = 0; number < Number(count); number++) {
    connection.say({ type: "message", text: `${number}` });
    await pause(12);
    if (chance() < 0.4) opened[opened.length - 1].wire.destroy();
    if (chance() < 0.1) page();
  }
  await until(() => connection.outbox.size === 0);
  await until(() => connection.last >= expected);
  page(); // and once more from the beginning
  await until(() => connection.last >= expected);
  console.log(JSON.stringify({ told, sockets: opened.length, kept: [...kept.keys()], token: kept.get("t:token") }));
  connection.stop();
  process.exit(0);
})();
