// The kind `runs`: a dot for each run, one column over another.

const AXIS_NAMES = ["horizontal", "vertical"];
// Most different places from left to right around which dots are spread.
const FEW_PLACES = 12;
// How far dots are spread to each side: a share of the smallest distance of two places, and at most one of the whole width.
const BESIDE = [0.3, 0.025];
// The golden ratio's fraction: its multiples lie far from those before.
const GOLDEN = 0.618033988749895;

/** Returns the places of dots from left to right, spread sideways where many stand above each other. */
function spreadDots(xs, ys) {
  const places = [...new Set(xs)].sort((a, b) => a - b);
  if (places.length > FEW_PLACES || places.length === xs.length) return xs;
  const gap = Math.min(...places.slice(1).map((place, i) => place - places[i]));
  const whole = places.length > 1 ? places.at(-1) - places[0] : 1;
  const beside = Math.min(BESIDE[0] * gap, BESIDE[1] * whole);
  const order = xs.map((_, i) => i).sort((a, b) => xs[a] - xs[b] || ys[a] - ys[b]);
  const spread = [...xs];
  let rank = 0;
  order.forEach((i, at) => {
    rank = at > 0 && xs[order[at - 1]] === xs[i] ? rank + 1 : 0;
    spread[i] = xs[i] + beside * (2 * ((0.5 + rank * GOLDEN) % 1) - 1);
  });
  return spread;
}

/** Says whether a column can stand on a logarithmic axis: it has numbers, and all of them are positive. */
function isPositive(figure, column) {
  const numbers = figure.runs.map((run) => run[column]).filter((x) => x !== null);
  return numbers.length > 0 && numbers.every((x) => x > 0);
}

/** Makes the menu of one axis' column and the box of its scale. */
function axisControls(figure, turn) {
  const chosen = figure.axes[turn];
  const name = AXIS_NAMES[turn];
  const options = figure.plotted.columns.map((column, at) => el("option", { value: at, text: column }));
  const box = el("input", { type: "checkbox", "aria-label": `logarithmic ${name} axis`, on: {
    change: () => {
      chosen.log = box.checked;
      redraw(figure);
    },
  } });
  const follow = () => {
    const usable = isPositive(figure, chosen.column);
    box.disabled = !usable;
    chosen.log &&= usable;
    box.checked = chosen.log;
    box.parentElement.title = usable ? "" : "Only where all numbers are positive";
  };
  const menu = el("select", { class: "lists", "aria-label": `${name} axis`, on: {
    change: () => {
      chosen.column = Number(menu.value);
      follow();
      redraw(figure);
    },
  } }, ...options);
  menu.value = String(chosen.column);
  const controls = el("fieldset", {}, el("legend", { text: name }), menu, el("label", {}, box, el("span", { text: "logarithmic" })));
  follow();
  return controls;
}

/** Returns the dots of runs that have both numbers, with their places on the axes. */
function runDots(figure) {
  const { names, columns, links } = figure.plotted;
  const [x, y] = figure.axes;
  const words = (column, number) => `${forPlotly(columns[column])}: ${single(number)}`;
  const dots = figure.runs
    .map((run, i) => ({ name: names[i], link: links[i], at: [run[x.column], run[y.column]] }))
    .filter(({ at }) => at.every(Number.isFinite))
    .map((dot) => ({ ...dot, text: [forPlotly(dot.name), words(x.column, dot.at[0]), words(y.column, dot.at[1])].join("<br>") }));
  const across = dots.map(({ at }) => (x.log ? Math.log10(at[0]) : at[0]));
  spreadDots(across, dots.map(({ at }) => at[1])).forEach((place, i) => { dots[i].place = x.log ? 10 ** place : place; });
  return dots;
}

KINDS.runs = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values),

  /** Adds a menu and a box for each axis. */
  prepare(figure) {
    figure.runs = matrix(figure.plotted.values);
    figure.axes = figure.plotted.chosen.map((column) => ({ column, log: false }));
    controlsOf(figure).append(...figure.axes.map((_, turn) => axisControls(figure, turn)));
  },

  /** Draws a dot for each run, those with a page of their own larger, with a ring, and above the others. */
  draw(figure) {
    const { ink, paper, series } = palette();
    const dots = runDots(figure);
    const groups = [
      { name: "run", dots: dots.filter(({ link }) => !link), size: 8, ring: { color: paper, width: 0.5 }, opacity: 0.65 },
      { name: "run with a page", dots: dots.filter(({ link }) => link), size: 11, ring: { color: ink, width: 1.5 }, opacity: 1 },
    ];
    const traces = groups.map(({ name, dots: these, size, ring, opacity }, i) => ({
      type: "scatter",
      mode: "markers",
      name,
      x: these.map(({ place }) => place),
      y: these.map(({ at }) => at[1]),
      customdata: these.map(({ link }) => link),
      text: these.map(({ text }) => text),
      hovertemplate: "%{text}<extra></extra>",
      marker: { size, color: series[i], opacity, line: ring },
    }));
    const [x, y] = figure.axes.map(({ column, log }) => axis({
      title: forPlotly(figure.plotted.columns[column]),
      type: log ? "log" : "linear",
      zeroline: false,
      exponentformat: "power",
    }));
    return drawPlot(figure, traces, {
      margin: { l: 62, r: 12, t: 36, b: 48 },
      showlegend: groups.every(({ dots: these }) => these.length > 0),
      xaxis: x,
      yaxis: y,
    });
  },

  listen: openLinks,

  rows: ({ plotted, runs }) => matrixRows("run", plotted.names, plotted.columns, runs),
};
