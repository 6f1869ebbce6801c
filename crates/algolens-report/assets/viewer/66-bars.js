// The kind `bars`: groups of bars, one group a name, one bar a series.

KINDS.bars = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values),

  /** Draws a group of bars for each name. */
  draw(figure) {
    const { names, series: seriesNames, unit, values } = figure.plotted;
    const { series } = palette();
    const rows = matrix(values);
    const many = names.length > 24;
    const upright = names.length * seriesNames.length > (isNarrow(figure) ? 6 : 15);
    const xaxis = axis({
      ...(many ? ticks(names, (figure.plot.clientWidth - 60) / names.length) : { ...nameAxis(figure, names), tickvals: names.map((_, i) => i), ticktext: names.map(forPlotly) }),
      fixedrange: true,
    });
    const all = rows.flat().map((x) => x ?? 0);
    const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
    const room = (high - low || 1) * (upright ? 0.2 : 0.1);
    const traces = seriesNames.map((name, i) => ({
      type: "bar",
      name,
      x: names.map((_, at) => at),
      y: rows.map((row) => row[i]),
      text: many ? "" : rows.map((row) => row[i]?.toFixed(2).replace("-", "−") ?? ""),
      textposition: "outside",
      textangle: upright ? -90 : 0,
      cliponaxis: false,
      textfont: { size: 11 },
      constraintext: "none",
      customdata: names.map(forPlotly),
      hovertemplate: "%{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>",
      marker: { color: series[i % series.length], pattern: { shape: ["", "/", "."][i % 3], fillmode: "overlay", size: 5, solidity: 0.2 } },
    }));
    return drawPlot(figure, traces, {
      margin: { l: 52, r: 8, t: 36, b: xaxis.tickangle === -90 ? 84 : 44 },
      bargap: 0.3,
      showlegend: seriesNames.length > 1,
      xaxis,
      yaxis: axis({ title: unit, zeroline: true, range: [low < 0 ? low - room : 0, high + room] }),
    });
  },

  rows: ({ plotted }) => matrixRows("name", plotted.names, plotted.series, matrix(plotted.values)),
};
