// The rail of sections, its menu on narrow screens, and jumps inside the page.

/** Scrolls to an element by its id and gives it the focus, for readers who go on by keyboard. */
function scrollToId(id) {
  const target = document.getElementById(id);
  if (!target) return;
  target.scrollIntoView();
  if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}

/** Follows a link inside the page without losing the selection in the fragment. */
function followLink(event) {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const id = idOfLink(link.getAttribute("href"));
  if (!document.getElementById(id)) return;
  event.preventDefault();
  openMenu(false);
  pagePlace = id;
  writeFragment(true);
  scrollToId(id);
}

/** Opens or closes the rail's menu. */
function openMenu(open) {
  document.getElementById("rail")?.classList.toggle("open", open);
  document.getElementById("menu")?.setAttribute("aria-expanded", open);
}

/** Marks the section in view in the rail and notes it in the fragment. */
function markSection(section) {
  for (const link of document.querySelectorAll("#rail a")) {
    if (link.getAttribute("href") === `#${section.id}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const here = document.getElementById(pagePlace);
  if (!here || !section.contains(here)) rememberPlace(section.id);
}

/** Watches which section is being read: the last one whose top is in the upper third of the window or under the strip. */
function watchSections() {
  const sections = [...document.querySelectorAll("main > section")];
  let current = null;
  let frame = 0;
  const look = () => {
    frame = 0;
    const padding = Number.parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    const line = Math.max(innerHeight / 3, padding + 40);
    const found = sections.findLast((section) => section.getBoundingClientRect().top <= line) ?? sections[0];
    if (found && found !== current) markSection(found);
    current = found;
  };
  addEventListener("scroll", () => { frame ||= requestAnimationFrame(look); }, { passive: true });
  look();
}

/** Starts the rail. */
function startRail() {
  const button = document.getElementById("menu");
  button?.addEventListener("click", () => openMenu(button.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("click", followLink);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || button?.getAttribute("aria-expanded") !== "true") return;
    openMenu(false);
    button.focus();
  });
}
