// Filters of a log: by level, by who wrote the line, and by text. On the page of a
// run that goes on, live.js adds lines; new ones are filtered as they come.
"use strict";
(() => {
  const list = document.getElementById("log-list");
  if (!list) return;
  const ranks = { DEBUG: 0, INFO: 1, WARN: 2, WARNING: 2, ERROR: 3 };
  const level = document.getElementById("log-level"), text = document.getElementById("log-text");
  const worker = document.getElementById("log-worker");
  const byWorker = worker && !worker.name; // with a name the server filters
  function filter(line) {
    const rank = ranks[line.dataset.level.toUpperCase()] ?? 1;
    line.hidden = (level.value && rank < ranks[level.value]) ||
      (byWorker && worker.value !== "*" && line.dataset.worker !== worker.value) ||
      (text.value && !line.textContent.toLowerCase().includes(text.value.toLowerCase())) || false;
  }
  const all = () => { for (const line of list.children) filter(line); };
  for (const input of [level, text, worker]) input?.addEventListener("input", all);
  text.closest("form")?.addEventListener("keydown", (e) => { if (e.target === text && e.key === "Enter") e.preventDefault(); });
  list.addEventListener("line", (e) => filter(e.target));
  all();
})();
