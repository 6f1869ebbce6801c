// The kind `lines`: shares over a number.

const LINE_STYLES = [
  { dash: "solid", symbol: "circle" },
  { dash: "dash", symbol: "square" },
  { dash: "dot", symbol: "x" },
  { dash: "dashdot", symbol: "diamond" },
];

/** Returns the ticks of an axis of these numbers: each, where they are few whole ones. */
function wholeTicks(numbers) {
  const few = Math.max(...numbers) - Math.min(...numbers) < 8;
  return few && numbers.every(Number.isInteger) ? { dtick: 1 } : {};
}

KINDS.lines = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values),

  /** Draws a line for each series. */
  draw(figure) {
    const { over, series: names, values } = figure.plotted;
    const { series } = palette();
    const rows = matrix(values);
    const traces = names.map((name, i) => ({
      type: "scatter",
      mode: "lines+markers",
      name,
      x: rows.map((row) => row[0]),
      y: rows.map((row) => row[i + 1]),
      line: { dash: LINE_STYLES[i % 4].dash, width: 2, color: series[i % 4] },
      marker: { symbol: LINE_STYLES[i % 4].symbol, size: 7, color: series[i % 4] },
      hovertemplate: `${forPlotly(over)} %{x}: %{y:.3f}<extra>%{fullData.name}</extra>`,
    }));
    return drawPlot(figure, traces, {
      margin: { l: 48, r: 12, t: 40, b: 44 },
      showlegend: names.length > 1,
      xaxis: axis({ title: over, ...wholeTicks(rows.map((row) => row[0])) }),
      yaxis: axis({ title: "share", range: [-0.03, 1.03] }),
    });
  },

  rows: ({ plotted }) => [[plotted.over, ...plotted.series], ...matrix(plotted.values)],
};
