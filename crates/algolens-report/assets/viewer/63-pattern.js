// The kind `pattern`: the attention pattern of the main head, or of several heads in their colours.

/** Returns the chosen heads, the main one first. */
function headsMainFirst() {
  return [state.main, ...state.heads.filter((head) => head !== state.main)];
}

/** Returns the chosen cell; without a chosen key, the key that the main head attends to most. */
function chosenCell() {
  const key = state.key ?? (hasArray("pattern") ? indexOfLargest(vector("pattern", state.list, state.main, state.query)) : null);
  return { query: state.query, key };
}

/** Returns the look of one head's heatmap: the common ramp when alone, the head's colour when overlaid. */
function patternLook(figure, head, alone) {
  if (alone) return { colorscale: "Cividis", colorbar: scaleBar(gridArea(figure).height, "attention weight") };
  return { colorscale: [[0, headTint(head, 0)], [1, headTint(head, 0.85)]], showscale: false };
}

/** Returns a heatmap for each chosen head; every cell's text names all their weights. */
function patternTraces(figure) {
  const list = currentList();
  const length = list.tokens.length;
  const heads = headsMainFirst();
  const patterns = heads.map((head) => matrix("pattern", state.list, head));
  const texts = cellTexts(length, length, (query, key) => [
    `query ${placeName(list, query)}`,
    `key ${placeName(list, key)}`,
    ...heads.map((head, i) => `head ${HEADS[head]}: ${num(patterns[i][query][key])}`),
  ].join("\n"));
  return heads.map((head, i) => ({
    type: "heatmap",
    name: `head ${HEADS[head]}`,
    z: patterns[i],
    zmin: 0,
    zmax: 1,
    text: texts,
    hoverinfo: "text",
    ...patternLook(figure, head, heads.length === 1),
  }));
}

/** Returns the layout of the pattern; overlaid colours fade into the page. */
function patternLayout(figure) {
  const labels = currentList().tokens.map(tokenLabel);
  const layout = gridLayout(figure, { labels, title: "query token" }, { labels, title: "key token" });
  return state.heads.length > 1 ? { ...layout, plot_bgcolor: palette().paper } : layout;
}

/** Returns the mark of the rows a prediction is made at: a line at the right edge, named. */
function predictedRowsMark() {
  const { ink, soft } = palette();
  const [first, last] = [PREDICTED[0], PREDICTED.at(-1)];
  if (first === undefined) return { shapes: [], annotations: [] };
  return {
    shapes: [{
      type: "line",
      xref: "paper",
      yref: "y",
      xsizemode: "pixel",
      xanchor: 1,
      x0: 4,
      x1: 4,
      y0: first - 0.4,
      y1: last + 0.4,
      line: { color: ink, width: 2 },
    }],
    annotations: [{
      xref: "paper",
      yref: "y",
      x: 1,
      xanchor: "left",
      xshift: 6,
      y: (first + last) / 2,
      text: "predictions",
      textangle: 90,
      showarrow: false,
      font: { size: 11, color: soft },
    }],
  };
}

KINDS.pattern = {
  reads: ["list", "query", "key", "heads", "main"],
  missing: () => (LISTS.length === 0 ? "This report has no examples." : lacks("pattern")),

  /** Reserves the grid and a legend of heads. */
  prepare(figure) {
    const length = LISTS[0].tokens.length;
    reserveGrid(figure, length, length);
    figure.legend = el("p", { class: "legend" });
    controlsOf(figure).append(figure.legend);
    fillHeadLegend(figure.legend, state.heads);
  },

  /** Draws the pattern and frames the query's row and the chosen cell. */
  draw(figure) {
    const length = currentList().tokens.length;
    const { query, key } = chosenCell();
    const mark = predictedRowsMark();
    const { traces, layout } = kept(figure, [state.list, headsMainFirst()], () => ({ traces: patternTraces(figure), layout: patternLayout(figure) }));
    fillHeadLegend(figure.legend, state.heads);
    return drawPlot(figure, traces, {
      ...layout,
      shapes: [
        ...outline(-0.5, length - 0.5, query - 0.5, query + 0.5),
        ...(key === null ? [] : outline(key - 0.5, key + 0.5, query - 0.5, query + 0.5, 2)),
        ...mark.shapes,
      ],
      annotations: mark.annotations,
    });
  },

  /** Hovering lights up the pair; a click chooses it. */
  listen(figure) {
    onPlot(figure, "hover", (point) => point && setHover(point.y, point.x));
    onPlot(figure, "unhover", () => setHover(null, null));
    onPlot(figure, "click", (point) => point && selectQuery(point.y, point.x));
  },

  /** States what the chosen heads attend to most from the query. */
  title() {
    const list = currentList();
    const parts = state.heads.slice(0, 4).map((head) => {
      const row = vector("pattern", state.list, head, state.query);
      const key = indexOfLargest(row);
      return `head ${HEADS[head]} attends most to ${placeName(list, key)}, weight ${share(row[key])}`;
    });
    return `From ${placeName(list, state.query)}, ${parts.join("; ")}`;
  },

  rows() {
    const list = currentList();
    const header = ["query", "key", ...state.heads.map((head) => `head ${HEADS[head]}`)];
    const patterns = state.heads.map((head) => matrix("pattern", state.list, head));
    return [header, ...list.tokens.flatMap((_, query) => list.tokens.map((_, key) =>
      [placeName(list, query), placeName(list, key), ...patterns.map((rows) => rows[query][key])]))];
  },
};
