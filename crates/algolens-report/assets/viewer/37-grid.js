// Heatmaps with square cells: their size in CSS, their axes.

const GRID_MARGIN = { l: 46, r: 24, t: 10, b: 92 };

/** Reserves a figure's place for square cells: CSS works out the cell from the card's width. */
function reserveGrid(figure, rows, columns) {
  figure.plot.classList.add("grid");
  const sizes = {
    "--rows": rows,
    "--columns": columns,
    "--beside": `${GRID_MARGIN.l + GRID_MARGIN.r}px`,
    "--around": `${GRID_MARGIN.t + GRID_MARGIN.b}px`,
  };
  for (const [name, size] of Object.entries(sizes)) figure.plot.style.setProperty(name, size);
}

/** Returns the height and width of a figure's plotting area. */
function gridArea(figure) {
  return {
    width: figure.plot.clientWidth - GRID_MARGIN.l - GRID_MARGIN.r,
    height: figure.plot.clientHeight - GRID_MARGIN.t - GRID_MARGIN.b,
  };
}

/** Returns the layout of a heatmap with its rows from top to bottom and a crosshair. */
function gridLayout(figure, rows, columns) {
  const { width, height } = gridArea(figure);
  const room = width / columns.labels.length;
  const crosshair = { showspikes: true, spikemode: "across", spikesnap: "hovered data", spikethickness: 1, spikedash: "dot" };
  const common = { showgrid: false, zeroline: false, ticks: "outside", ticklen: 3, ...crosshair };
  return {
    margin: GRID_MARGIN,
    plot_bgcolor: palette().blank,
    xaxis: axis({
      ...common,
      ...ticks(columns.labels, room),
      title: columns.title,
      tickangle: room < 24 && room >= 13 ? -90 : 0,
      range: [-0.5, columns.labels.length - 0.5],
    }),
    yaxis: axis({
      ...common,
      ...ticks(rows.labels, height / rows.labels.length),
      title: rows.title,
      range: [rows.labels.length - 0.5, -0.5],
    }),
  };
}

/** Returns the text of every cell of a grid, made by `write(row, column)`. */
function cellTexts(rows, columns, write) {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => forPlotly(write(row, column)).replaceAll("\n", "<br>")),
  );
}
