// The kinds `triples-post` and `triples-all`: direct logit attribution between close neighbours.

const PAIRS = [["y", "y"], ["y", "z"], ["z", "y"], ["z", "z"]];
const triples = () => RESULTS.triples ?? [];

KINDS["triples-post"] = {
  reads: [],
  missing: () => (triples().length ? null : "This report has no triples."),

  /** Reserves rows of four small heatmaps, or of two on a narrow screen. */
  prepare(figure) {
    figure.plot.style.setProperty("--rows-wide", Math.ceil(triples().length / 4));
    figure.plot.style.setProperty("--rows-narrow", Math.ceil(triples().length / 2));
  },

  /** Draws one 2 × 2 heatmap for each triple, all with the same limits. */
  draw(figure) {
    const { ink } = palette();
    const across = figure.plot.clientWidth < 620 ? 2 : Math.min(4, Math.max(triples().length, 3));
    const down = Math.ceil(triples().length / across);
    const limit = Math.max(...triples().flatMap((triple) => triple.dla.flat().map(Math.abs))) || 1;
    const layout = { margin: { l: 58, r: 4, t: 8, b: 8 }, annotations: [] };
    const traces = triples().map((triple, i) => {
      const suffix = i === 0 ? "" : i + 1;
      const left = (i % across) / across;
      const top = 1 - Math.floor(i / across) / down;
      const [x0, x1] = [left, left + 1 / across - 66 / figure.plot.clientWidth];
      const [y0, y1] = [top - 1 / down + 30 / figure.plot.clientHeight, top - 28 / figure.plot.clientHeight];
      const look = { showgrid: false, zeroline: false, fixedrange: true, tickvals: [0, 1] };
      layout[`xaxis${suffix}`] = axis({ ...look, domain: [x0, x1], anchor: `y${suffix}`, ticktext: ["src = y", "src = z"] });
      layout[`yaxis${suffix}`] = axis({ ...look, domain: [y0, y1], anchor: `x${suffix}`, ticktext: ["pred = y", "pred = z"], range: [1.5, -0.5] });
      layout.annotations.push({
        xref: "paper", yref: "paper", x: (x0 + x1) / 2, xanchor: "center", y: y1, yanchor: "bottom", showarrow: false, font: { size: 12, color: ink },
        text: forPlotly(`${[triple.x, triple.y, triple.z].map(tokenLabel).join(", ")} · head ${FIRST_HEADS[triple.head] ?? triple.head}`),
      });
      return {
        type: "heatmap",
        z: triple.dla,
        x: [0, 1],
        y: [0, 1],
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        zmin: -limit,
        zmax: limit,
        zmid: 0,
        colorscale: DIVERGING,
        showscale: false,
        xgap: 1,
        ygap: 1,
        text: triple.dla.map((row) => row.map((x) => x.toFixed(1).replace("-", "−"))),
        texttemplate: "%{text}",
        hoverinfo: "text",
      };
    });
    return drawPlot(figure, traces, layout);
  },

  rows: () => [
    ["x", "y", "z", "head", "prediction", "source", "logits"],
    ...triples().flatMap((triple) => PAIRS.map(([prediction, source], i) =>
      [triple.x, triple.y, triple.z].map(tokenLabel).concat(FIRST_HEADS[triple.head] ?? triple.head, prediction, source, triple.dla.flat()[i]))),
  ],
};

KINDS["triples-all"] = {
  reads: [],
  missing: () => lacks("triple_dla"),

  /** Draws a box for each of the four values over all close triples. */
  draw(figure) {
    const { data } = tensor("triple_dla");
    const { series, ink } = palette();
    const traces = PAIRS.map(([prediction, source], i) => ({
      type: "box",
      name: `pred = ${prediction}, src = ${source}`,
      y: Array.from(data.filter((_, place) => place % 4 === i), plain),
      boxpoints: "suspectedoutliers",
      marker: { color: series[i], size: 3 },
      line: { width: 1.5 },
    }));
    return drawPlot(figure, traces, {
      showlegend: false,
      margin: { l: 48, r: 8, t: 12, b: 44 },
      xaxis: axis({ fixedrange: true, tickangle: 0, tickvals: [0, 1, 2, 3], ticktext: PAIRS.map(([prediction, source]) => `pred = ${prediction}<br>src = ${source}`) }),
      yaxis: axis({ title: "logits", zeroline: true, zerolinecolor: ink }),
    });
  },

  rows() {
    const { shape, data } = tensor("triple_dla");
    const names = hasArray("triple_tokens") ? matrix("triple_tokens").map((row) => row.map(tokenLabel)) : [];
    return [
      ["x", "y", "z", ...PAIRS.map(([prediction, source]) => `pred ${prediction} src ${source}`)],
      ...Array.from({ length: shape[0] }, (_, i) => [...(names[i] ?? ["", "", ""]), ...Array.from(data.subarray(4 * i, 4 * i + 4), plain)]),
    ];
  },
};
