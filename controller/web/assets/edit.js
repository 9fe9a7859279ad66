// The editor of a template. The text is what counts: fields change it through the
// server, and what is wrong with it is said while it is written.
"use strict";
(() => {
  const form = document.getElementById("edit"), text = document.getElementById("text");
  const problems = document.getElementById("problems"), valid = document.getElementById("valid");
  const inputs = [...form.querySelectorAll("[data-field]")];
  let timer = 0, asked = 0, dirty = false, pending = false; // pending: a field is not yet in the text
  document.getElementById("apply").hidden = true; // it happens by itself

  async function check(withFields) {
    const mine = ++asked, body = new URLSearchParams({ text: text.value });
    if (withFields) for (const i of inputs) body.set("field." + i.dataset.field, i.value);
    let judged;
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body });
      if (!answer.ok) return;
      judged = await answer.json();
    } catch { return; } // it is checked again when it is saved
    if (withFields) pending = false;
    if (mine !== asked) return;
    if (withFields && judged.text !== text.value) text.value = judged.text;
    show(judged);
  }
  function show(judged) {
    valid.hidden = judged.problems.length > 0;
    problems.replaceChildren(...judged.problems.map((p) => {
      const li = document.createElement("li");
      if (p.line) {
        const place = document.createElement("button");
        Object.assign(place, { type: "button", className: "place", textContent: "line " + p.line });
        Object.assign(place.dataset, { line: p.line, column: p.column || 1 });
        li.append(place, " ");
      }
      if (p.location && !p.message.startsWith(p.location + " ")) { // else the message names it
        const code = document.createElement("code");
        code.textContent = p.location;
        li.append(code, " ");
      }
      li.append(p.message);
      return li;
    }));
    text.setAttribute("aria-invalid", String(judged.problems.length > 0));
    const readable = judged.fields.some((f) => f.value !== "");
    for (const i of inputs) {
      const f = judged.fields.find((f) => f.key === i.dataset.field);
      if (readable && document.activeElement !== i) i.value = f.value;
      i.disabled = !readable && judged.problems.length > 0 && !i.matches(":focus");
    }
  }
  text.addEventListener("input", () => { dirty = true; clearTimeout(timer); timer = setTimeout(check, 300, false); });
  for (const i of inputs) {
    i.addEventListener("input", () => { dirty = pending = true; });
    i.addEventListener("change", () => check(true));
  }
  form.addEventListener("keydown", (e) => { if (e.key === "Enter" && e.target.dataset.field) { e.preventDefault(); check(true); } });
  // What is written into a field and is not yet in the text comes first.
  form.addEventListener("submit", async (e) => {
    if (!pending) {
      dirty = false;
      return;
    }
    e.preventDefault();
    await check(true);
    if (!pending && !valid.hidden) form.requestSubmit(e.submitter);
  });
  window.addEventListener("beforeunload", (e) => { if (dirty) e.preventDefault(); });
  // The place of a problem, in the text.
  problems.addEventListener("click", (e) => {
    const place = e.target.closest(".place");
    if (!place) return;
    const lines = text.value.split("\n"), n = Math.min(Number(place.dataset.line), lines.length) - 1;
    const from = lines.slice(0, n).reduce((sum, l) => sum + l.length + 1, 0);
    text.focus();
    text.setSelectionRange(from, from + lines[n].length);
    text.scrollTop = Math.max(0, (n - 5) * text.scrollHeight / lines.length);
  });
  const file = document.getElementById("file");
  if (file) {
    document.getElementById("file-source").hidden = false;
    file.addEventListener("change", async () => {
      if (!file.files.length) return;
      text.value = await file.files[0].text();
      dirty = true;
      check(false);
    });
  }
})();
