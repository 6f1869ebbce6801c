// The kind `ablation`: the loss that replacing each part of the model costs.

const WAYS = [["mean", "mean"], ["zero", "zero"], ["resample", "resampled"]];
const ablationRows = () => RESULTS.ablation_rows ?? [];

KINDS.ablation = {
  reads: [],
  missing: () => (ablationRows().length ? null : "This report has no ablations."),

  /** Draws a group of three bars for each part. */
  draw(figure) {
    const { series } = palette();
    const parts = ablationRows().map((row) => (HEADS.includes(row.part) ? `head ${row.part}` : row.part));
    const xaxis = axis(nameAxis(figure, parts));
    const upright = parts.length > 5 || isNarrow(figure);
    const costs = ablationRows().flatMap((row) => WAYS.map(([field]) => row[field] ?? 0));
    const [low, high] = [Math.min(0, ...costs), Math.max(0, ...costs)];
    const room = (high - low || 1) * (upright ? 0.2 : 0.1);
    const traces = WAYS.map(([field, name], i) => ({
      type: "bar",
      name,
      x: parts.map(forPlotly),
      y: ablationRows().map((row) => row[field]),
      text: ablationRows().map((row) => row[field]?.toFixed(2) ?? ""),
      textposition: "outside",
      textangle: upright ? -90 : 0,
      cliponaxis: false,
      textfont: { size: 11 },
      constraintext: "none",
      hovertemplate: "%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
      marker: { color: series[i], pattern: { shape: ["", "/", "."][i], fillmode: "overlay", size: 5, solidity: 0.2 } },
    }));
    return drawPlot(figure, traces, {
      margin: { l: 52, r: 8, t: 36, b: xaxis.tickangle === 0 ? 44 : 84 },
      bargap: 0.3,
      xaxis,
      yaxis: axis({ title: "loss gained (nats)", zeroline: true, range: [low < 0 ? low - room : 0, high + room] }),
    });
  },

  rows: () => [["part", ...WAYS.map(([field]) => field)], ...ablationRows().map((row) => [row.part, ...WAYS.map(([field]) => row[field])])],
};
