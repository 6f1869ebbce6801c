// The figures of the page: found, prepared, drawn when they come near, redrawn when what they read changes.

/**
 * The kinds of figures by name. A figure's `plotted` is what the study says of its plot. A kind has
 * - `reads`: the fields of the selection it depends on;
 * - `missing(figure)`: a sentence when the report lacks its numbers, else null;
 * - `prepare(figure)`: adds controls and reserves room, before anything is drawn (optional);
 * - `draw(figure)`: draws; may return a promise;
 * - `listen(figure)`: attaches the plot's listeners after the first drawing (optional);
 * - `title(figure)`: the caption for the present selection (optional);
 * - `rows(figure)`: what the figure shows, as CSV rows with a header;
 * - `image`: "plotly" (the default), "canvas" or "none".
 */
const KINDS = {};

const figures = [];
const waiting = new Set();
let soon = 0;
let idle = 0;
let pending = Promise.resolve();
const settling = [];

/** Runs something in idle time, in half a second at the latest. */
const requestIdle = window.requestIdleCallback ? (run) => requestIdleCallback(run, { timeout: 500 }) : (run) => setTimeout(run, 60);

/** Returns the sentence for a report that lacks one of the named arrays, else null. */
function lacks(...names) {
  const name = names.find((candidate) => !hasArray(candidate));
  if (name) return `This report has no array ${name}, so there is nothing to draw here.`;
  return null;
}

/** Reads a figure's element into a record. */
function recordOf(node) {
  return {
    node,
    kind: KINDS[node.dataset.figure],
    name: node.id.replace(/^fig-/, "") || node.dataset.figure,
    plotted: REPORT.figures[node.id.replace(/^fig-/, "")] ?? {},
    plot: node.querySelector(".plot"),
    caption: node.querySelector("figcaption"),
    drawn: false,
    near: false,
    controls: null,
  };
}

/** Returns the line above a figure's plot that holds its controls, made at its first use. */
function controlsOf(figure) {
  if (!figure.controls) {
    figure.controls = el("div", { class: "controls" });
    figure.scroll.before(figure.controls);
  }
  return figure.controls;
}

/** Puts the caption of the present selection above a figure and into its text summary. */
function writeTitle(figure) {
  if (!figure.kind.title) return;
  const title = figure.kind.title(figure);
  figure.caption.textContent = title;
  figure.plot.setAttribute("aria-label", title);
}

/** Prepares one figure: its frame, its room, its controls, its links. */
function prepareFigure(figure) {
  figure.scroll = el("div", { class: "scroll" });
  figure.plot.replaceWith(figure.scroll);
  figure.scroll.append(figure.plot);
  const sentence = figure.kind.missing(figure);
  if (sentence) {
    figure.plot.className = "plot empty";
    figure.plot.removeAttribute("role");
    figure.plot.textContent = sentence;
    return;
  }
  figure.kind.prepare?.(figure);
  writeTitle(figure);
  addLinks(figure);
  figures.push(figure);
}

/** Draws one figure now. */
async function drawFigure(figure) {
  waiting.delete(figure);
  const first = !figure.drawn;
  figure.drawn = true;
  writeTitle(figure);
  await figure.kind.draw(figure);
  figure.size = sizeOf(figure);
  if (first) figure.kind.listen?.(figure);
}

/** Returns a figure's size as text, to notice a change. */
function sizeOf(figure) {
  return `${figure.plot.clientWidth} × ${figure.plot.clientHeight}`;
}

/** Draws those of the waiting figures that `wanted` picks. */
async function flush(wanted) {
  const chosen = [...waiting].filter(wanted);
  pending = Promise.all([pending, ...chosen.map(drawFigure)]);
  await pending;
  if (waiting.size === 0) settling.splice(0).forEach((resolve) => resolve());
}

/** Has a figure redrawn: in the next frame when it is near the screen, else in idle time. */
function redraw(figure) {
  waiting.add(figure);
  if (!figure.near) {
    redrawInIdleTime();
  } else if (!soon) {
    soon = requestAnimationFrame(() => {
      soon = 0;
      flush((candidate) => candidate.near);
      // What has left the neighbourhood of the screen meanwhile.
      if (waiting.size > 0) redrawInIdleTime();
    });
  }
}

/** Has all waiting figures redrawn in idle time. */
function redrawInIdleTime() {
  idle ||= requestIdle(() => {
    idle = 0;
    flush(() => true);
  });
}

/** Redraws all figures drawn so far. */
function redrawDrawn() {
  figures.filter((figure) => figure.drawn).forEach(redraw);
}

/** Resolves when no figure lags behind the selection. */
function whenDrawn() {
  if (waiting.size === 0) return pending.then(() => undefined);
  return new Promise((resolve) => settling.push(resolve));
}

/** Draws every figure now. */
function drawAll() {
  figures.forEach((figure) => waiting.add(figure));
  return flush(() => true);
}

/** Finds, prepares and watches the page's figures. */
function startFigures() {
  const known = [...document.querySelectorAll("figure[data-figure]")].filter((node) => Object.hasOwn(KINDS, node.dataset.figure));
  known.map(recordOf).forEach(prepareFigure);
  const byPlot = new Map(figures.map((figure) => [figure.plot, figure]));

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const figure = byPlot.get(entry.target);
      figure.near = entry.isIntersecting;
      if (figure.near && (!figure.drawn || waiting.has(figure))) redraw(figure);
    }
  }, { rootMargin: "400px 0px" });

  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = byPlot.get(entry.target);
      if (figure.drawn && figure.size && figure.size !== sizeOf(figure)) redraw(figure);
    }
  });

  for (const figure of figures) {
    near.observe(figure.plot);
    resized.observe(figure.plot);
    watch(figure.kind.reads, () => {
      if (figure.drawn) redraw(figure);
      else writeTitle(figure);
    });
  }
}
