// The list of runs: which are picked to be compared, in the order of picking, and
// rows of runs that go on, which change by themselves.
"use strict";
(() => {
  const form = document.getElementById("compare");
  if (!form) return;
  const button = form.querySelector("button"), says = document.getElementById("picked");
  const min = Number(button.dataset.min), max = Number(button.dataset.max), hint = says.textContent;
  let picked = [];

  const boxes = () => [...document.querySelectorAll("input[name=run]")];
  function show() {
    const n = picked.length;
    button.disabled = n < min || n > max;
    button.textContent = n > 0 ? "Compare " + n : "Compare";
    says.textContent = n === 0 ? hint : n > max ? "At most " + max + " runs can be compared." : n < min ? "Pick at least one more." : "The first picked is the base.";
  }
  document.addEventListener("change", (e) => {
    if (e.target.name !== "run") return;
    picked = picked.filter((id) => id !== e.target.value);
    if (e.target.checked) picked.push(e.target.value);
    show();
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const query = new URLSearchParams(picked.map((id) => ["run", id]));
    location.href = form.action + "?" + query;
  });
  picked = boxes().filter((b) => b.checked).map((b) => b.value);
  show();

  const table = document.querySelector("table[data-refresh]");
  if (!table) return;
  async function refresh() {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch { /* the next time, then */ }
    }
    setTimeout(refresh, Number(table.dataset.refresh));
  }
  // replace takes over rows that differ, unless somebody is in them.
  function replace(page) {
    const body = page.querySelector("table.runs tbody"), own = table.tBodies[0];
    if (!body || own.contains(document.activeElement) && document.activeElement.type !== "checkbox") return;
    const focus = document.activeElement.value;
    const fresh = document.importNode(body, true);
    if (fresh.innerHTML === own.innerHTML) return;
    own.replaceChildren(...fresh.children);
    for (const box of boxes()) {
      box.checked = picked.includes(box.value);
      if (focus && box.value === focus) box.focus();
    }
  }
  setTimeout(refresh, Number(table.dataset.refresh));
})();
