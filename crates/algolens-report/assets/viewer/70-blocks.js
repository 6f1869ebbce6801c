// The kinds `blocks` and `boxes`: small matrices side by side, and a box for each of their cells over all of them.

/** Returns the blocks of a figure, each as rows of numbers. */
function blocksOf({ plotted: { values } }) {
  return Array.from({ length: tensor(values).shape[0] }, (_, block) => matrix(values, block));
}

/** Returns a pair of names for each cell of a small matrix, row by row. */
function cellNames({ plotted: { rows, columns } }) {
  return rows.flatMap((row) => columns.map((column) => [row, column]));
}

KINDS.blocks = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values),

  /** Reserves rows of four small heatmaps, or of two on a narrow screen. */
  prepare(figure) {
    figure.plot.style.setProperty("--rows-wide", Math.ceil(figure.plotted.names.length / 4));
    figure.plot.style.setProperty("--rows-narrow", Math.ceil(figure.plotted.names.length / 2));
  },

  /** Draws one heatmap for each block, all with the same limits. */
  draw(figure) {
    const { ink } = palette();
    const { names, rows, columns } = figure.plotted;
    const blocks = blocksOf(figure);
    const across = figure.plot.clientWidth < 620 ? 2 : Math.min(4, Math.max(blocks.length, 3));
    const down = Math.ceil(blocks.length / across);
    const limit = Math.max(...blocks.flat(2).map(Math.abs)) || 1;
    const layout = { margin: { l: 58, r: 4, t: 8, b: 8 }, annotations: [] };
    const traces = blocks.map((block, i) => {
      const suffix = i === 0 ? "" : i + 1;
      const left = (i % across) / across;
      const top = 1 - Math.floor(i / across) / down;
      const [x0, x1] = [left, left + 1 / across - 66 / figure.plot.clientWidth];
      const [y0, y1] = [top - 1 / down + 30 / figure.plot.clientHeight, top - 28 / figure.plot.clientHeight];
      const look = { showgrid: false, zeroline: false, fixedrange: true };
      layout[`xaxis${suffix}`] = axis({ ...look, domain: [x0, x1], anchor: `y${suffix}`, tickvals: columns.map((_, at) => at), ticktext: columns.map(forPlotly) });
      layout[`yaxis${suffix}`] = axis({ ...look, domain: [y0, y1], anchor: `x${suffix}`, tickvals: rows.map((_, at) => at), ticktext: rows.map(forPlotly), range: [rows.length - 0.5, -0.5] });
      layout.annotations.push({
        xref: "paper", yref: "paper", x: (x0 + x1) / 2, xanchor: "center", y: y1, yanchor: "bottom", showarrow: false, font: { size: 12, color: ink },
        text: forPlotly(names[i]),
      });
      return {
        type: "heatmap",
        z: block,
        x: columns.map((_, at) => at),
        y: rows.map((_, at) => at),
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        zmin: -limit,
        zmax: limit,
        zmid: 0,
        colorscale: DIVERGING,
        showscale: false,
        xgap: 1,
        ygap: 1,
        text: block.map((row) => row.map((x) => (x === null ? "" : x.toFixed(1).replace("-", "−")))),
        texttemplate: "%{text}",
        hoverinfo: "text",
      };
    });
    return drawPlot(figure, traces, layout);
  },

  rows(figure) {
    const blocks = blocksOf(figure);
    return [
      ["block", "row", "column", figure.plotted.unit],
      ...blocks.flatMap((block, i) => cellNames(figure).map(([row, column], at) => [figure.plotted.names[i], row, column, block.flat()[at]])),
    ];
  },
};

KINDS.boxes = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values),

  /** Draws a box for each cell over all small matrices. */
  draw(figure) {
    const { data } = tensor(figure.plotted.values);
    const { series, ink } = palette();
    const cells = cellNames(figure);
    const traces = cells.map(([row, column], i) => ({
      type: "box",
      name: `${row}, ${column}`,
      y: Array.from(data.filter((_, place) => place % cells.length === i), plain),
      boxpoints: "suspectedoutliers",
      marker: { color: series[i % series.length], size: 3 },
      line: { width: 1.5 },
    }));
    return drawPlot(figure, traces, {
      showlegend: false,
      margin: { l: 48, r: 8, t: 12, b: 44 },
      xaxis: axis({ fixedrange: true, tickangle: 0, tickvals: cells.map((_, i) => i), ticktext: cells.map(([row, column]) => `${forPlotly(row)}<br>${forPlotly(column)}`) }),
      yaxis: axis({ title: figure.plotted.unit, zeroline: true, zerolinecolor: ink }),
    });
  },

  rows(figure) {
    const { values, items, tokens } = figure.plotted;
    const { shape, data } = tensor(values);
    const cells = cellNames(figure);
    const names = hasArray(items) ? matrix(items).map((row) => row.map(tokenLabel)) : [];
    return [
      [...tokens, ...cells.map(([row, column]) => `${row}, ${column}`)],
      ...Array.from({ length: shape[0] }, (_, i) =>
        [...(names[i] ?? tokens.map(() => "")), ...Array.from(data.subarray(cells.length * i, cells.length * (i + 1)), plain)]),
    ];
  },
};
