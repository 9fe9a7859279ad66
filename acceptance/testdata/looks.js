// What a person would find wrong with how a page looks: an expression whose value
// is a list of complaints. Everything is measured as the browser has laid it out.
(() => {
  const wrong = new Set(), say = (text) => wrong.add(text);
  const name = (e) => {
    const text = (e.textContent || e.getAttribute("aria-label") || e.name || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " “" + text + "”";
  };
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".hidden, .skip, .chart-data caption, dialog:not([open])") && getComputedStyle(e.closest("thead") ?? e).clipPath === "none";
  const scrolls = ".log, .events, .code, pre, textarea, .chart-scroll, .scroll";

  if (document.documentElement.scrollWidth > innerWidth) say("the page is " + document.documentElement.scrollWidth + " wide, the window " + innerWidth);
  if (!document.documentElement.lang) say("the page says no language");
  if (document.querySelectorAll("h1").length !== 1) say("the page has " + document.querySelectorAll("h1").length + " headings of the first level");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) say("two elements have the id " + id);
  for (const e of document.querySelectorAll("a, button, summary")) {
    if (visible(e) && !e.textContent.trim() && !e.getAttribute("aria-label")) say(e.outerHTML.slice(0, 80) + " has no name");
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (visible(e) && !e.labels.length && !e.getAttribute("aria-label")) say(name(e) + " has no label");
  }
  for (const e of document.querySelectorAll("svg[role=img]")) {
    if (!e.querySelector("title")?.textContent || !e.querySelector("desc")?.textContent) say("a chart has no text beside it");
  }

  // Places of all texts and controls.
  const places = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, e = node.parentElement;
    if (!node.data.trim() || e.closest("script, style, title, desc, option, textarea") || !visible(e)) continue;
    const style = getComputedStyle(e);
    if (style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 && !e.closest(scrolls)) say(name(e) + " is cut");
    if (/undefined|NaN|\[object|<no value>|%!/.test(node.data)) say(name(e) + " shows what is meant for programs");
    contrast(e, style);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of e.ownerSVGElement ? [e.getBoundingClientRect()] : range.getClientRects()) if (box.width > 1) places.push({ e, box });
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, .button, progress")) if (visible(e)) places.push({ e, box: e.getBoundingClientRect() });
  for (const p of places) {
    if (!p.e.closest(scrolls) && (p.box.right > innerWidth + 1 || p.box.left < -1)) say(name(p.e) + " is outside of the window");
    p.within = p.e.closest(scrolls + ", dialog, .menu ul");
  }
  places.sort((a, b) => a.box.top - b.box.top);
  for (let i = 0; i < places.length; i++) {
    const a = places[i];
    for (let j = i + 1; j < places.length && places[j].box.top < a.box.bottom - 2; j++) {
      const b = places[j];
      if (a.within !== b.within || a.e === b.e || a.e.contains(b.e) || b.e.contains(a.e)) continue;
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left), down = Math.min(a.box.bottom, b.box.bottom) - b.box.top;
      if (across > 2 && down > 3) say(name(a.e) + " and " + name(b.e) + " overlap");
    }
  }

  // WCAG 2.2, 1.4.3: text against what is behind it.
  function contrast(e, style) {
    if (e.closest(":disabled, [aria-disabled]")) return;
    const svg = e.ownerSVGElement, fore = colour(svg ? style.fill : style.color);
    let back = null;
    for (let on = svg ? svg.parentElement : e; on && !back; on = on.parentElement) {
      const c = colour(getComputedStyle(on).backgroundColor);
      if (c && c[3] === 1) back = c;
    }
    back ??= colour(getComputedStyle(document.body).backgroundColor);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const [x, y] = [light(fore), light(back)].sort((a, b) => b - a), ratio = (x + 0.05) / (y + 0.05);
    if (ratio < (large ? 3 : 4.5)) say(name(e) + " has a contrast of " + ratio.toFixed(2));
  }
  function colour(text) {
    const n = text.match(/[\d.]+/g)?.map(Number);
    return n && n.length >= 3 ? [n[0], n[1], n[2], n[3] ?? 1] : null;
  }
  function light([r, g, b]) {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }
  return [...wrong];
})()
