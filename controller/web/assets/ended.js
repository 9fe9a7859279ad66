// The page of a run that has ended: sections that are gone to by the keyboard get
// its focus.
"use strict";
for (const link of document.querySelectorAll(".toc a[href^='#']")) {
  link.addEventListener("click", () => {
    const heading = document.getElementById(link.hash.slice(1));
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  });
}
