// Charts of lines while a run goes on, drawn as the server draws them (package
// report/chart): the same sizes, classes and axes, so that the first drawing and
// those that follow look alike.
"use strict";
const Charts = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const LOG_FROM = 20, LINE = 16, TABLE_ROWS = 60;

  function el(parent, name, attributes, text) {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (text !== undefined) e.textContent = text;
    parent.append(e);
    return e;
  }
  const trimmed = (v, decimals) => String(Number(v.toFixed(decimals)));
  const num = (v) => trimmed(v, 1);
  function scaled(v, units, decimals) {
    for (const [name, size] of units) if (Math.abs(v) >= size * (1 - 1e-9)) return trimmed(v / size, decimals) + name;
    return trimmed(v, 3);
  }
  const rate = (v) => scaled(v, [["G", 1e9], ["M", 1e6], ["k", 1e3]], 2);
  const latency = (v) => v === 0 ? "0" : scaled(v, [[" s", 1], [" ms", 1e-3], [" µs", 1e-6], [" ns", 1e-9]], 3);
  function elapsed(v) {
    const s = Math.floor(v + 1e-9), two = (n) => String(n).padStart(2, "0"), rest = Math.round((v - s) * 10);
    const tenths = rest > 0 && rest < 10 ? "." + rest : "";
    return s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60) + tenths : Math.floor(s / 60) + ":" + two(s % 60) + tenths;
  }
  const texts = { rate, latency };

  // axisOf spans values of the vertical axis.
  function axisOf(spec, low, high, positive) {
    if (spec.automatic && positive > 0 && high > LOG_FROM * positive) return logAxis(positive, high);
    const step = niceStep(high / 5, spec.unit), top = Math.max(step, step * Math.ceil(high / step - 1e-9)), ticks = [];
    for (let i = 0; i * step <= top * (1 + 1e-9); i++) ticks.push(i * step);
    return { ticks, log: false, at: (v) => v / top };
  }
  function logAxis(low, high) {
    const all = [];
    for (let e = Math.floor(Math.log10(low)) - 1; e <= Math.ceil(Math.log10(high)) + 1; e++) for (const m of [1, 2, 5]) all.push(m * 10 ** e);
    let from = 0, to = all.length - 1;
    while (from + 1 < all.length && all[from + 1] <= low * (1 + 1e-9)) from++;
    while (to - 1 > from && all[to - 1] >= high * (1 - 1e-9)) to--;
    const bottom = all[from], span = Math.log(all[to] / bottom), ticks = [];
    for (let i = from; i <= to; i++) if (i % 3 === 0 || to - from < 10) ticks.push(all[i]);
    return { ticks, log: true, at: (v) => Math.log(Math.max(v, bottom) / bottom) / span };
  }
  function niceStep(v, unit) {
    if (!(v > 0)) return unit === "latency" ? 0.001 : 1;
    const power = 10 ** Math.floor(Math.log10(v));
    for (const m of [1, 2, 5]) if (m * power >= v * (1 - 1e-9)) return m * power;
    return 10 * power;
  }
  function timeStep(high, n) {
    for (const s of [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]) if (high / s <= n) return s;
    return 86400;
  }
  const width = (s, size = 12) => [...s].reduce((w, c) => w + (/[A-Z_%@]/.test(c) ? 0.75 : /[ijl.,:;|!' ()]/.test(c) ? 0.38 : 0.62) * size, 0);

  // draw fills an svg of a size with a chart: {title, summary, y: {label, unit,
  // automatic}, series: [{name, tone, points: [[x, y or null]]}], bands}.
  function draw(svg, c, w, h) {
    svg.querySelectorAll(":scope > :not(title, desc)").forEach((e) => e.remove());
    svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    svg.querySelector("desc").textContent = c.summary;
    const values = c.series.flatMap((s) => s.points.map((p) => p[1]).filter((y) => y !== null));
    if (values.length === 0) {
      el(svg, "text", { class: "chart-none", x: w / 2, y: h / 2, "text-anchor": "middle" }, "nothing is measured yet");
      return;
    }
    let high = -Infinity, positive = Infinity, last = 1;
    for (const v of values) { high = Math.max(high, v); if (v > 0) positive = Math.min(positive, v); }
    for (const s of c.series) for (const p of s.points) last = Math.max(last, p[0]);
    for (const b of c.bands) last = Math.max(last, b.to);
    const y = axisOf(c.y, 0, high, positive), text = texts[c.y.unit], aside = w >= 640 && c.series.length > 1;
    const left = Math.max(...y.ticks.map((t) => width(text(t)))) + 12;
    const right = Math.min(w - 14, aside ? w - Math.max(...c.series.map((s) => width(s.name))) - 18 : Infinity);
    const bottom = h - 22 - LINE;
    let top = 6 + LINE;
    el(svg, "text", { class: "chart-label", x: num((left + right) / 2), y: h - 5, "text-anchor": "middle" }, "time since the load began (min:s)");
    el(svg, "text", { class: "chart-label", x: 4, y: num(top - 5) }, c.y.label + (y.log ? ", logarithmic scale" : ""));
    if (!aside && c.series.length > 1) {
      let x = 4;
      top += LINE;
      for (const s of c.series) {
        const g = el(svg, "g", { transform: `translate(${num(x)} ${num(top - 9)})` });
        el(g, "path", { class: "chart-line chart-s" + s.tone, d: "M0 0H19" });
        el(g, "text", { class: "chart-text", x: 24, y: 4 }, s.name);
        x += width(s.name) + 34;
      }
    }
    top += LINE + 4;
    const px = (v) => left + Math.min(1, v / last) * (right - left), py = (v) => bottom - Math.min(1, Math.max(0, y.at(v))) * (bottom - top);
    c.bands.forEach((b, i) => {
      const from = px(b.from), to = px(b.to);
      if (b.tone > 0) el(svg, "rect", { class: "chart-band chart-b" + b.tone, x: num(from), y: num(top), width: num(Math.max(0, to - from)), height: num(bottom - top) });
      if (i > 0) el(svg, "path", { class: "chart-edge", d: `M${num(from)} ${num(top - LINE)}V${num(bottom)}` });
      if (width(b.name, 11) <= to - from) el(svg, "text", { class: "chart-phase", x: num((from + to) / 2), y: num(top - 5), "text-anchor": "middle" }, b.name);
    });
    for (const t of y.ticks) {
      el(svg, "path", { class: "chart-grid", d: `M${num(left)} ${num(py(t))}H${num(right)}` });
      el(svg, "text", { class: "chart-tick", x: num(left - 6), y: num(py(t) + 4), "text-anchor": "end" }, text(t));
    }
    const step = timeStep(last, Math.max(4, Math.floor(w / 110)));
    for (let i = 0; i * step <= last * (1 + 1e-9); i++) {
      const label = elapsed(i * step), at = Math.min(px(i * step), w - width(label) / 2 - 1);
      el(svg, "path", { class: "chart-axis", d: `M${num(px(i * step))} ${num(bottom)}v5` });
      el(svg, "text", { class: "chart-tick", x: num(at), y: num(bottom + 17), "text-anchor": "middle" }, label);
    }
    el(svg, "path", { class: "chart-axis", d: `M${num(left)} ${num(bottom)}H${num(right)}` });
    for (const s of c.series) line(svg, s, px, py);
    if (aside) names(svg, c.series, right, py, top, bottom);
  }

  // line draws a series with a gap wherever there is one, reduced to what shows.
  function line(svg, s, px, py) {
    let d = "", open = false;
    const cut = () => { open = false; };
    for (const p of reduced(s.points, px)) {
      if (p[1] === null) { cut(); continue; }
      d += (open ? "L" : "M") + num(px(p[0])) + " " + num(py(p[1]));
      open = true;
    }
    if (d) el(svg, "path", { class: "chart-line chart-s" + s.tone, d });
    if (s.points.filter((p) => p[1] !== null).length === 1) {
      const p = s.points.find((p) => p[1] !== null);
      el(svg, "circle", { class: "chart-dot chart-s" + s.tone, cx: num(px(p[0])), cy: num(py(p[1])), r: 2.5 });
    }
  }
  // reduced are the first, lowest, highest and last points of each column.
  function reduced(points, px) {
    if (points.length < 1500) return points;
    const out = [];
    for (let i = 0; i < points.length;) {
      const column = Math.floor(px(points[i][0]));
      let j = i, low = i, high = i;
      for (; j < points.length && Math.floor(px(points[j][0])) === column && points[j][1] !== null; j++) {
        if (points[j][1] < points[low][1]) low = j;
        if (points[j][1] > points[high][1]) high = j;
      }
      if (j === i) { out.push(points[i++]); continue; }
      for (const k of [...new Set([i, low, high, j - 1])].sort((a, b) => a - b)) out.push(points[k]);
      i = j;
    }
    return out;
  }
  // names writes the names of lines at their ends, apart from each other.
  function names(svg, series, x, py, top, bottom) {
    const ends = series.map((s) => ({ s, p: s.points.findLast((p) => p[1] !== null) })).filter((e) => e.p);
    ends.forEach((e) => { e.y = py(e.p[1]); });
    ends.sort((a, b) => a.y - b.y);
    for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 14);
    let floor = bottom;
    for (let i = ends.length - 1; i >= 0; i--) { ends[i].y = Math.min(ends[i].y, floor); floor = ends[i].y - 14; }
    for (const e of ends) {
      el(svg, "path", { class: "chart-line chart-s" + e.s.tone, d: `M${num(x + 3)} ${num(e.y)}h6` });
      el(svg, "text", { class: "chart-text", x: num(x + 12), y: num(e.y + 4) }, e.s.name);
    }
  }

  // table writes the data of a chart for those who do not see it, newest first.
  function table(figure, c) {
    const details = figure.querySelector(".chart-data");
    if (!details) {
      figure.append(newTable());
      return table(figure, c);
    }
    if (!details.open) return;
    const head = details.querySelector("thead tr"), body = details.querySelector("tbody");
    const cells = (row, tag, list) => row.replaceChildren(...list.map((t, i) => {
      const cell = document.createElement(i === 0 || tag === "th" ? "th" : "td");
      cell.scope = tag === "th" ? "col" : "row";
      cell.textContent = t;
      return cell;
    }));
    cells(head, "th", ["time (min:s)", ...c.series.map((s) => s.name)]);
    const rows = [];
    for (let i = c.series[0].points.length - 1; i >= 0 && rows.length < TABLE_ROWS; i--) {
      if (c.series.every((s) => s.points[i][1] === null)) continue;
      const row = document.createElement("tr");
      cells(row, "td", [elapsed(c.series[0].points[i][0]), ...c.series.map((s) => s.points[i][1] === null ? "–" : texts[c.y.unit](s.points[i][1]) + (c.y.unit === "rate" ? "/s" : ""))]);
      rows.push(row);
    }
    body.replaceChildren(...rows);
  }
  function newTable() {
    const details = document.createElement("details");
    details.className = "chart-data";
    details.append(document.createElement("summary"));
    details.firstChild.textContent = "Data";
    const box = document.createElement("div");
    box.className = "chart-scroll";
    const t = document.createElement("table");
    t.createTHead().insertRow();
    t.append(document.createElement("tbody"));
    box.append(t);
    details.append(box);
    return details;
  }

  // update draws both sizes of a figure anew.
  function update(figure, c) {
    draw(figure.querySelector(".chart-wide svg"), c, 640, 290);
    draw(figure.querySelector(".chart-narrow svg"), c, 380, 290);
    table(figure, c);
  }
  return { update, elapsed, rate, latency };
})();
