// What every Plotly figure shares: layout, axes, events.

const PLOT_CONFIG = { displayModeBar: false, displaylogo: false, showTips: false };
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Returns an axis in the page's look. */
function axis(settings = {}) {
  const { ink, soft, rule } = palette();
  const { title, ...rest } = settings;
  return {
    title: { text: title ?? "", font: { size: 12, color: soft }, standoff: 8 },
    tickfont: { size: 11, color: soft },
    gridcolor: rule,
    linecolor: rule,
    zerolinecolor: rule,
    spikecolor: ink,
    fixedrange: matchMedia("(pointer: coarse)").matches,
    ...rest,
  };
}

/** Says whether a figure has the width of a phone. */
function isNarrow(figure) {
  return figure.plot.clientWidth < 560;
}

/** Draws a figure's plot at the size that CSS gives it. */
function drawPlot(figure, traces, { legend, ...layout }) {
  const { ink, paper } = palette();
  const whole = {
    width: figure.plot.clientWidth,
    height: figure.plot.clientHeight,
    autosize: false,
    font: { family: FONT, size: 12, color: ink },
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    margin: { l: 48, r: 8, t: 8, b: 44 },
    hovermode: "closest",
    hoverlabel: { bgcolor: ink, bordercolor: ink, font: { family: FONT, size: 12, color: paper }, align: "left", namelength: -1 },
    legend: {
      orientation: "h",
      x: 0,
      y: 1,
      yanchor: "bottom",
      xanchor: "left",
      font: { size: 12 },
      ...(isNarrow(figure) && { x: -0.1, entrywidth: 0.5, entrywidthmode: "fraction" }),
      ...legend,
    },
    ...layout,
  };
  return Plotly.react(figure.plot, traces, whole, PLOT_CONFIG);
}

/**
 * Returns what `make` returned last, unless `parts`, the theme or the size changed since. Plotly compares arrays by
 * identity: labels and matrices that stay the same object are not drawn again.
 */
function kept(figure, parts, make) {
  const stamp = [...parts, isDark(), sizeOf(figure)].join("|");
  if (figure.stamp !== stamp) Object.assign(figure, { stamp, made: make() });
  return figure.made;
}

/** Listens to a plot's events ("hover", "unhover", "click"); `answer` gets the event's first point. */
function onPlot(figure, event, answer) {
  figure.plot.on(`plotly_${event}`, ({ points }) => answer(points?.[0]));
}

/** Has a click on a dot open the page that is its `customdata`, if it has one. */
function openLinks(figure) {
  onPlot(figure, "hover", (point) => figure.plot.classList.toggle("linked", Boolean(point?.customdata)));
  onPlot(figure, "unhover", () => figure.plot.classList.remove("linked"));
  onPlot(figure, "click", (point) => {
    if (point?.customdata) location.assign(point.customdata);
  });
}

/** Returns a scale bar that lies below a plot's axis title. */
function scaleBar(height, title, settings = {}) {
  const { soft } = palette();
  return {
    orientation: "h",
    thickness: 8,
    lenmode: "pixels",
    len: 190,
    x: 1,
    xanchor: "right",
    y: -46 / height,
    yanchor: "top",
    ypad: 0,
    xpad: 0,
    outlinewidth: 0,
    nticks: 5,
    tickfont: { size: 10, color: soft },
    title: { text: title, side: "top", font: { size: 11, color: soft } },
    ...settings,
  };
}

/** Returns the settings of an axis of named parts; the labels stand upright where they would touch. */
function nameAxis(figure, labels, title = "") {
  const room = (figure.plot.clientWidth - 60) / labels.length;
  const longest = Math.max(...labels.map((label) => label.length)) * 6;
  return longest < room ? { fixedrange: true, tickangle: 0, title } : { fixedrange: true, tickangle: -90 };
}

/** Returns two nested rectangles, white and black, that stand out on any colour. */
function outline(x0, x1, y0, y1, width = 1) {
  const box = { type: "rect", x0, x1, y0, y1, layer: "above" };
  return [
    { ...box, line: { color: "#ffffff", width: width + 2 } },
    { ...box, line: { color: "#000000", width } },
  ];
}

/** Chooses which of `labels` an axis shows when each has `room` pixels: all, or every fifth and the last. */
function ticks(labels, room) {
  const last = labels.length - 1;
  const all = labels.map((_, i) => i);
  const shown = room >= 13 ? all : all.filter((i) => i === last || (i % 5 === 0 && (last - i) * room >= 20));
  return { tickmode: "array", tickvals: shown, ticktext: shown.map((i) => tickLabel(labels[i])) };
}
