// Starts the page.

/** Draws every figure in the light theme and at the width of paper while the page is printed. */
function startPrinting() {
  let theme = null;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme ?? null;
    document.documentElement.classList.add("printing");
    applyTheme("light");
    redrawStrip();
    drawAll();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    applyTheme(theme);
    repaint();
  });
}

startTheme();
Object.assign(state, tidy({ ...state, ...readFragment(location.hash).patch }));
startStrip();
startFigures();
startListButtons();
startRail();
startPrinting();
window.algolens = { state, setState, drawAll, figures };
pagePlace = readFragment(location.hash).place;
if (pagePlace) scrollToId(pagePlace);
watchSections();
addEventListener("hashchange", followFragment);
