// The kinds `gaps` and `smallest`: shares over the members of a family of lists.

const LINE_STYLES = [
  { dash: "solid", symbol: "circle" },
  { dash: "dash", symbol: "square" },
  { dash: "dot", symbol: "x" },
  { dash: "dashdot", symbol: "diamond" },
];

/** Returns a kind that draws fields of a family's rows over the field `over`. */
function familyKind({ family, over, title, lines }) {
  const rows = () => RESULTS[family] ?? [];
  return {
    reads: [],
    missing: () => (rows().length ? null : "This report measured no such lists."),

    /** Draws a line for each field. */
    draw(figure) {
      const { series } = palette();
      const traces = Object.entries(lines).map(([field, name], i) => ({
        type: "scatter",
        mode: "lines+markers",
        name,
        x: rows().map((row) => row[over]),
        y: rows().map((row) => row[field]),
        line: { dash: LINE_STYLES[i].dash, width: 2, color: series[i] },
        marker: { symbol: LINE_STYLES[i].symbol, size: 7, color: series[i] },
        hovertemplate: `${over} %{x}: %{y:.3f}<extra>%{fullData.name}</extra>`,
      }));
      return drawPlot(figure, traces, {
        margin: { l: 48, r: 12, t: 40, b: 44 },
        xaxis: axis({ title }),
        yaxis: axis({ title: "share", range: [-0.03, 1.03] }),
      });
    },

    rows: () => {
      const fields = [over, "size", ...Object.keys(lines)];
      return [fields, ...rows().map((row) => fields.map((field) => row[field]))];
    },
  };
}

KINDS.gaps = familyKind({
  family: "gaps",
  over: "gap",
  title: "gap between x and y",
  lines: { accuracy: "accuracy", self_attention: "attention to itself", prob_x: "p(x)", prob_y: "p(y)" },
});

KINDS.smallest = familyKind({
  family: "smallest",
  over: "smallest",
  title: "smallest value of the list",
  lines: { accuracy: "accuracy at SEP", attention: "attention to the smallest value" },
});
