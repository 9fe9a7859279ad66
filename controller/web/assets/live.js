// The page of a run that goes on: it follows the stream of the run, and shows what
// each frame brings. Text from the run becomes text nodes, never markup.
"use strict";
(() => {
  const root = document.getElementById("run");
  if (!root) return;
  const $ = (id) => document.getElementById(id);
  const make = (name, className, text) => {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const MAX_LINES = 500, MAX_EVENTS = 1000;
  let state = null, skew = Number(root.dataset.now) - Date.now(), lastID = root.dataset.from;

  // Numbers, as the server writes them.
  const digits = (v) => v < 9.995 ? v.toFixed(2) : v < 99.95 ? v.toFixed(1) : v.toFixed(0);
  const count = (n) => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const rate = (v) => !(v > 0) ? "0" : v < 99.95 ? digits(v) : count(v);
  const millis = (ms) => !(ms > 0) ? "–" : ms < 0.9995 ? digits(ms * 1000) + "µs" : ms < 999.5 ? digits(ms) + "ms" : digits(ms / 1000) + "s";
  const two = (n) => String(n).padStart(2, "0");
  const minutes = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    return s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60) : Math.floor(s / 60) + ":" + two(s % 60);
  };
  const clock = (iso) => { const t = make("time", "", new Date(iso).toISOString().slice(11, 23)); t.dateTime = iso; return t; };
  const set = (e, text) => { if (e && e.textContent !== text) e.textContent = text; };
  const time = (iso) => iso ? Date.parse(iso) : NaN;

  // ---- the course: intervals by their end, each with a row for each phase
  const slots = new Map(), classes = new Map();
  let known = -1; // up to here classes were counted by the server
  let whole = false; // the course is read; until then the charts stay as the server drew them
  async function readCourse() {
    const answer = await fetch(root.dataset.points);
    if (!answer.ok) throw new Error(answer.statusText);
    const c = await answer.json();
    for (const [elapsed, seconds, phase, ok, errors, p50, p95, p99] of c.points) {
      slots.set(elapsed, { whole: { phase, seconds, ok, errors, p50, p95, p99 } });
      known = Math.max(known, elapsed);
    }
    for (const k of c.classes) classes.set(k.class, { count: k.count, example: k.example || "" });
  }
  function addInterval(i) {
    const at = i.elapsed_seconds;
    let slot = slots.get(at);
    if (!slot || slot.whole) slots.set(at, slot = {});
    if (at > known) {
      for (const k of slot[i.phase]?.classes || []) classes.get(k.class).count -= k.count;
      for (const k of i.error_classes || []) {
        const c = classes.get(k.class) || { count: 0, example: "" };
        classes.set(k.class, { count: c.count + k.count, example: k.example || c.example });
      }
    }
    slot[i.phase] = { phase: i.phase, seconds: i.seconds, ok: i.ok, errors: i.errors, p50: i.latency.p50_ms, p95: i.latency.p95_ms, p99: i.latency.p99_ms, classes: i.error_classes };
  }
  // point is a slot as one: counts are summed, latencies are of the phase that most
  // of it is of.
  function point(slot) {
    let p = null;
    for (const r of Object.values(slot)) {
      if (!p) { p = { ...r }; continue; }
      const most = r.ok > p.ok ? r : p;
      p = { ...most, ok: p.ok + r.ok, errors: p.errors + r.errors, seconds: Math.max(p.seconds, r.seconds) };
    }
    return p;
  }
  const order = ["WARMUP", "MEASUREMENT", "COOLDOWN"]; // what ends late is of the phase that it began in
  const tones = { MEASUREMENT: 0, WARMUP: 1 };
  function drawCharts() {
    const rates = [], lines = { p50: [], p95: [], p99: [] }, bands = [];
    let end = 0, newest = null;
    for (const at of [...slots.keys()].sort((a, b) => a - b)) {
      const p = point(slots.get(at)), from = Math.max(0, at - p.seconds), x = at - p.seconds / 2;
      if (newest && from > end + p.seconds / 2) for (const line of [rates, ...Object.values(lines)]) line.push([(end + from) / 2, null]);
      rates.push([x, p.seconds > 0 ? p.ok / p.seconds : 0]);
      for (const q in lines) lines[q].push([x, p.ok > 0 ? p[q] / 1000 : null]);
      const band = bands.at(-1), late = band && order.indexOf(p.phase) < order.indexOf(band.name);
      if (late || band?.name === p.phase) band.to = at; else bands.push({ name: p.phase, from: band ? Math.max(band.to, from) : from, to: at, tone: tones[p.phase] ?? 2 });
      newest = p; end = at;
    }
    if (!newest) return;
    const now = newest.seconds > 0 ? newest.ok / newest.seconds : 0;
    set($("f-rate"), rate(now) + " op/s");
    for (const q in lines) set($("f-" + q), newest.ok > 0 ? millis(newest[q]) : "–");
    showClasses();
    if (!whole) return;
    const figure = (id) => root.querySelector(`[data-chart="${id}"] figure`);
    Charts.update(figure("throughput"), { summary: "Successful operations per second in each interval. Newest: " + rate(now) + ".", y: { label: "operations per second", unit: "rate" }, bands, series: [{ name: "op/s", tone: 0, points: rates }] });
    Charts.update(figure("latency"), {
      summary: `Percentiles of latency in each interval. Newest: p50 ${millis(newest.p50)}, p95 ${millis(newest.p95)}, p99 ${millis(newest.p99)}.`,
      y: { label: "latency", unit: "latency", automatic: true }, bands, series: Object.keys(lines).map((name, tone) => ({ name, tone, points: lines[name] })),
    });
  }
  function showClasses() {
    const list = [...classes].filter(([, c]) => c.count > 0).sort((a, b) => b[1].count - a[1].count);
    const sum = list.reduce((n, [, c]) => n + c.count, 0);
    set($("f-errors"), count(sum));
    $("f-errors").classList.toggle("bad", sum > 0);
    $("no-errors").hidden = sum > 0;
    $("classes").hidden = sum === 0;
    $("classes").tBodies[0].replaceChildren(...list.map(([name, c]) => {
      const row = make("tr"), head = make("th", "", name);
      head.scope = "row";
      row.append(head, make("td", "n", count(c.count)), make("td", "long", c.example));
      return row;
    }));
  }

  // ---- where the run stands
  function showState() {
    const shown = $("status").firstElementChild;
    if (shown.textContent !== state.status) {
      shown.textContent = state.status;
      shown.className = "status " + state.status.toLowerCase();
      root.dataset.status = state.status;
      document.title = state.status + " · " + document.title.replace(/^[A-Z]+ · /, "");
    }
    const startable = state.status === "PREPARED" && !state.started_at;
    if ($("start")) $("start").hidden = !startable;
    if ($("check")) {
      $("check").hidden = !startable;
      const button = $("check").querySelector("button");
      button.disabled = Boolean(state.check_at);
      button.textContent = state.check_at ? "Checking…" : "Check";
    }
    if ($("stop")) $("stop").hidden = Boolean(state.ended_at);
    const ending = $("ending");
    ending.hidden = !state.stop_at;
    if (state.stop_at) {
      if ($("stop")) set($("stop"), "Stop harder");
      let text = "Stop requested" + (state.stop_by ? " by " + state.stop_by : "") + (state.detail ? ": " + state.detail : "");
      if (state.rung) text += " · " + state.rung;
      set(ending, text);
    }
    showDriver();
    showPhases();
  }
  // showDriver says that nobody drives the run: nobody any more, or after a moment not
  // even at first.
  function showDriver() {
    const waits = !state.owner && state.started_at && time(state.now) - time(state.started_at) > 3000;
    $("driver").hidden = Boolean(state.ended_at) || !(waits || state.owner && !state.owner_alive);
    set($("driver"), waits ? root.dataset.waits : root.dataset.left);
  }
  function phaseNow() {
    if (!state.started_at) return "";
    const loads = ["WARMUP", "MEASUREMENT", "COOLDOWN"];
    if (loads.includes(state.phase)) return loads.includes(state.stage) ? state.stage : state.phase;
    return state.phase || "PREPARING";
  }
  function showPhases() {
    const items = [...root.querySelectorAll(".phases li")], now = items.findIndex((li) => li.dataset.phase === phaseNow());
    items.forEach((li, i) => {
      const is = i < now ? "done" : i === now ? "now" : "next";
      if (li.className !== is) {
        li.className = is;
        if (is === "now") li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
      }
      let text = li.dataset.planned, share = is === "done" ? 1 : 0;
      if (is === "now" && state.stage_from) {
        const gone = Date.now() + skew - time(state.stage_from), whole = time(state.stage_until) - time(state.stage_from);
        text = (state.stop_at ? "stopping " : "") + minutes(gone);
        if (whole > 0 && !state.stage_by_deadline) {
          text = minutes(Math.min(gone, whole)) + " / " + minutes(whole);
          share = Math.min(1, Math.max(0, gone / whole));
        }
      }
      set(li.querySelector(".timer"), text);
      const bar = li.querySelector("progress");
      if (is === "now" && !(share > 0) && phaseNow() !== "WARMUP") bar.removeAttribute("value"); else bar.value = share;
    });
  }
  function showWorkers(workers) {
    const grid = $("worker-grid"), cards = new Map([...grid.children].map((li) => [li.dataset.worker, li]));
    let open = 0, target = 0, healthy = 0;
    for (const w of workers) {
      const wanted = w.target_connections ?? w.connections; // what is usual is left out of frames
      open += w.connections; target += wanted; healthy += w.health === "HEALTHY" ? 1 : 0;
      const li = cards.get(w.worker_id) || grid.appendChild(newCard(w.worker_id));
      if (li.dataset.health !== (w.health || "")) li.dataset.health = w.health || "";
      const health = li.querySelector(".health");
      health.className = "health " + (w.health || "").toLowerCase();
      const ended = ["COMPLETED", "DEAD"].includes(w.state) && w.state;
      set(health, (w.health || ended || w.life || "READY") + (w.beat_age_seconds > 0 ? " · " + Math.round(w.beat_age_seconds) + " s ago" : ""));
      const silent = w.health === "STALE" || w.health === "LOST"; // what it does now is not known
      const values = [w.state || "–", w.connections + " / " + wanted, ...silent ? ["–", "–", "–"] : [rate(w.ops_per_second), millis(w.p95_ms), w.state ? Math.round(w.cpu_percent) + "%" : "–"], count(w.errors || 0)];
      li.querySelectorAll("dd").forEach((dd, i) => set(dd, values[i]));
      const last = w.ending || w.last_error; // what was last stays, so that cards do not jump
      if (last) set(li.querySelector(".last"), last);
    }
    set($("f-connections"), open + " / " + target);
    set($("f-workers"), healthy + " / " + workers.length);
  }
  function newCard(id) {
    const li = make("li", "worker"), top = make("div", "top"), dl = make("dl");
    li.dataset.worker = id;
    top.append(make("b", "", id), make("span", "health"));
    for (const name of ["state", "connections", "op/s", "p95", "CPU", "errors"]) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd"));
      dl.append(pair);
    }
    li.append(top, dl, make("p", "last"));
    return li;
  }

  // ---- what happened
  const follow = (list, change) => { // a list that is at its end stays there
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    change();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  function addEvents(events) {
    const list = $("event-list");
    let last = Number(list.lastElementChild?.dataset.sequence || 0);
    follow(list, () => {
      for (const e of events) {
        if (e.sequence_id <= last) continue;
        const li = make("li"), words = [e.worker_id, e.phase, e.reason, e.rung, e.by && "by " + e.by, e.detail];
        li.dataset.sequence = last = e.sequence_id;
        li.append(clock(e.at), " ", make("b", "", e.event_type), " ", make("span", "", words.filter(Boolean).join(" ")));
        list.append(li);
      }
      list.hidden = list.children.length === 0;
      $("no-events").hidden = !list.hidden;
      while (list.children.length > MAX_EVENTS) list.firstElementChild.remove();
    });
  }
  function addLines(lines) {
    const list = $("log-list"), seen = new Set([...list.children].map((li) => li.dataset.key));
    follow(list, () => {
      for (const l of lines) {
        const key = (l.worker_id || "") + "/" + l.seq;
        if (seen.has(key)) continue;
        seen.add(key);
        const li = make("li", "line " + l.level.toLowerCase());
        Object.assign(li.dataset, { worker: l.worker_id || "", level: l.level, key });
        li.append(clock(l.timestamp), " ", make("b", "", l.level), " ", make("i", "", l.worker_id || "orchestrator"), " ", make("span", "", l.message));
        list.append(li);
        li.dispatchEvent(new Event("line", { bubbles: true }));
      }
      list.hidden = list.children.length === 0;
      $("no-lines").hidden = !list.hidden;
      while (list.children.length > MAX_LINES) list.firstElementChild.remove();
    });
  }
  // addSteps shows the steps of a search; one replaces what was known of it.
  function addSteps(steps) {
    const body = $("step-table").tBodies[0];
    for (const s of steps) {
      const key = s.step_type + "/" + s.step_number, row = make("tr"), head = make("th", "", s.step_number);
      head.scope = "row";
      row.dataset.step = key;
      const known = s.operations + s.errors > 0; // else the run ended before the step's first window did
      const throughput = make("td", "n", known ? rate(s.ops_per_second) + " op/s" : "-"), outcome = make("td", "", s.outcome || "");
      if (s.target_ops_per_second !== undefined) throughput.append(" ", make("small", "", "of " + rate(s.target_ops_per_second)));
      for (const text of [s.queue_detected && "queueing", s.stop_reason]) if (text) outcome.append(" ", make("small", "", text));
      row.append(head, make("td", "n", s.from_connections + " → " + s.to_connections), throughput,
        ...[s.p50_ms, s.p95_ms, s.p99_ms].map((ms) => make("td", "n", known ? millis(ms) : "-")), make("td", "n", count(s.errors)), outcome);
      const old = [...body.rows].find((r) => r.dataset.step === key);
      if (old) old.replaceWith(row); else body.append(row);
    }
    $("step-section").hidden = body.rows.length === 0;
  }
  function showFindings(findings) {
    $("no-findings").hidden = findings.length > 0;
    $("finding-list").replaceChildren(...findings.map((f) => {
      const li = make("li", "finding " + f.severity.toLowerCase()), text = make("span", "message", f.message);
      if (f.mend) text.append(" ", make("em", "", f.mend));
      li.append(make("span", "mark", f.severity), " ", make("code", "", f.id), " ", text);
      return li;
    }));
  }

  // ---- the stream
  let source = null;
  const says = (text) => { $("connection").hidden = !text; set($("connection"), text); };
  function show(frame) {
    state = frame.run;
    skew = Date.parse(state.now) - Date.now();
    for (const i of frame.intervals || []) addInterval(i);
    showState();
    showWorkers(frame.workers || []);
    if (frame.intervals) drawCharts();
    if (frame.events) addEvents(frame.events);
    if (frame.steps) addSteps(frame.steps);
    if (frame.logs) addLines(frame.logs);
    if (frame.findings) showFindings(frame.findings);
  }
  function connect() {
    source = new EventSource(root.dataset.stream + (lastID ? "?from=" + encodeURIComponent(lastID) : ""));
    source.addEventListener("open", () => says(""));
    source.addEventListener("frame", (e) => {
      says("");
      lastID = e.lastEventId;
      const frame = JSON.parse(e.data);
      show(frame);
      if (frame.end || frame.reset) {
        source.close();
        if (frame.end) says("The run has ended: " + state.status + ". Its result is on its way.");
        location.reload();
      }
    });
    source.addEventListener("error", () => {
      says("The connection to the controller is lost: what is shown may be old. Trying again.");
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000); // it was refused
    });
  }
  // Lists begin at their end, where the newest is.
  for (const id of ["event-list", "log-list"]) $(id).scrollTop = $(id).scrollHeight;
  const begin = () => readCourse().then(() => { whole = true; drawCharts(); }, () => { setTimeout(begin, 3000); });
  begin().finally(connect);
  setInterval(() => { if (state) showPhases(); }, 500);
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  // ---- Stop
  const dialog = $("stop-dialog"), button = $("stop");
  if (dialog && button) {
    button.addEventListener("click", (e) => { e.preventDefault(); dialog.showModal(); });
    // By the keyboard it opens when the key is let go: what is pressed in the button
    // must not answer the question of the dialog, too.
    const presses = (e) => e.key === "Enter" || e.key === " ";
    button.addEventListener("keydown", (e) => { if (presses(e)) e.preventDefault(); });
    button.addEventListener("keyup", (e) => { if (presses(e)) dialog.showModal(); });
    dialog.querySelector("[data-close]").addEventListener("click", (e) => { e.preventDefault(); dialog.close(); });
    dialog.querySelector("form").addEventListener("submit", async (e) => {
      e.preventDefault();
      const form = e.target, send = form.querySelector(".danger");
      send.disabled = true;
      try { // without a change of page, so that nothing of what is shown is lost
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
        if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(answer.statusText);
        dialog.close();
      } catch (problem) {
        form.querySelector("p").textContent = "The stop was not accepted (" + problem.message + "). Try again.";
      } finally {
        send.disabled = false;
      }
    });
  }
})();
