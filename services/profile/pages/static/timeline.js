"use strict";
// Adds what the server sends to the timeline, each entry once and in its place.
(() => {
  const timeline = document.getElementById("timeline");
  const news = document.getElementById("news"); // read out, not shown
  const state = document.getElementById("state");
  if (!timeline || !timeline.dataset.events) return;

  const shown = new Set(
    Array.from(timeline.querySelectorAll("[data-entry]"), (item) => item.dataset.entry)
  );

  const dayList = (day, name) => {
    const days = Array.from(timeline.querySelectorAll(".day"));
    const there = days.find((section) => section.dataset.day === day);
    if (there) return there.querySelector("ol");
    const section = document.createElement("section");
    section.className = "day";
    section.dataset.day = day;
    const title = document.createElement("h3");
    title.textContent = name;
    const list = document.createElement("ol");
    section.append(title, list);
    const older = days.find((other) => other.dataset.day < day);
    timeline.insertBefore(section, older || null);
    return list;
  };

  const isOlder = (item, entry) => {
    const order = Number(item.dataset.order);
    return order < entry.order || (order === entry.order && item.dataset.entry < entry.id);
  };

  const nameCase = (conversation, reference) => {
    if (!conversation || !reference) return;
    for (const item of timeline.querySelectorAll("[data-conversation]")) {
      const line = item.querySelector(".case");
      if (item.dataset.conversation !== conversation || !line || !line.hidden) continue;
      line.querySelector(".reference").textContent = reference;
      line.hidden = false;
    }
  };

  const knownCase = (conversation) => {
    for (const item of timeline.querySelectorAll("[data-conversation]")) {
      const line = item.querySelector(".case");
      if (item.dataset.conversation === conversation && line && !line.hidden) {
        return line.querySelector(".reference").textContent;
      }
    }
    return "";
  };

  const add = (entry) => {
    if (shown.has(entry.id)) return;
    shown.add(entry.id);
    const reference = entry.case || knownCase(entry.conversation);
    const empty = document.getElementById("empty");
    if (empty) empty.remove();
    const item = document.createElement("li");
    item.dataset.entry = entry.id;
    item.dataset.order = entry.order;
    item.dataset.conversation = entry.conversation;
    item.className = "new";
    item.innerHTML = entry.html; // made by the server's own template, everything in it escaped
    const list = dayList(entry.day, entry.day_name);
    const older = Array.from(list.children).find((other) => isOlder(other, entry));
    list.insertBefore(item, older || null);
    nameCase(entry.conversation, reference);
    news.textContent = `New: ${item.querySelector(".title").textContent}`;
  };

  const say = (words, kind) => {
    if (state.textContent !== words) state.textContent = words;
    state.dataset.kind = kind;
  };

  const source = new EventSource(timeline.dataset.events);
  source.onopen = () => say("Live", "live");
  source.onerror = () => say("Connecting again…", "waiting");
  source.onmessage = (message) => add(JSON.parse(message.data));
  source.addEventListener("stale", () => {
    source.close();
    window.location.reload();
  });
})();
