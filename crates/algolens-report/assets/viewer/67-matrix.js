// The kind `matrix`: a signed matrix, or weights that are never negative.

/** Returns the words and labels of a matrix's two axes. */
function matrixAxes({ plotted: { rows, columns } }) {
  return {
    rows: { labels: AXES[rows.labels], title: rows.title },
    columns: { labels: AXES[columns.labels], title: columns.title },
  };
}

/** Says whether a matrix is of pairs of tokens that attend and are attended to. */
function isOfPairs({ plotted: { rows, columns } }) {
  return rows.labels === "tokens" && columns.labels === "tokens" && columns.title.startsWith("attended");
}

/** Returns a figure's matrix as rows of numbers. */
function matrixCells({ plotted: { array, head } }) {
  return head === null ? matrix(array) : matrix(array, head);
}

/** Returns lines beside the diagonal over the tokens that each head serves, thick for the card's own head. */
function servedRanges({ plotted: { ranges, head: own } }) {
  const beside = 1.3;
  return ranges.map(({ head, from, to }) => ({
    type: "scatter",
    mode: "lines",
    name: `served by head ${head}`,
    x: [from - 0.5 + beside, to + 0.5 + beside],
    y: [from - 0.5 - beside, to + 0.5 - beside],
    cliponaxis: true,
    hoverinfo: "name",
    showlegend: false,
    line: { color: headColour(HEADS.indexOf(head)), width: head === FIRST_HEADS[own] ? 6 : 2 },
  }));
}

/** Returns the positions at which the selected list holds a pair of tokens, attending last and attended first. */
function pairInList(attending, attended) {
  const list = currentList();
  const query = list?.tokens.lastIndexOf(attending) ?? -1;
  const key = list?.tokens.indexOf(attended) ?? -1;
  return query < 0 || key < 0 ? null : { query, key };
}

KINDS.matrix = {
  reads: [],

  missing: ({ plotted }) => lacks(plotted.array),

  /** Reserves square cells. */
  prepare(figure) {
    const { rows, columns } = matrixAxes(figure);
    reserveGrid(figure, rows.labels.length, columns.labels.length);
  },

  /** Draws the matrix around zero, with the limits that all heads share. */
  draw(figure) {
    const { rows, columns } = matrixAxes(figure);
    const cells = matrixCells(figure);
    const limit = largestOf(figure.plotted.array) || 1;
    const signed = figure.plotted.unit !== "weight";
    const heat = {
      type: "heatmap",
      z: cells,
      zmin: signed ? -limit : 0,
      zmax: limit,
      colorscale: signed ? DIVERGING : POSITIVE,
      hoverinfo: "text",
      text: cellTexts(rows.labels.length, columns.labels.length, (row, column) =>
        `${rows.title} ${rows.labels[row]}\n${columns.title} ${columns.labels[column]}\n${num(cells[row][column])}`),
      colorbar: scaleBar(gridArea(figure).height, figure.plotted.unit),
    };
    return drawPlot(figure, [heat, ...servedRanges(figure)], gridLayout(figure, rows, columns));
  },

  /** Pairs of tokens light up where the list has them, and a click chooses them. */
  listen(figure) {
    if (!isOfPairs(figure)) return;
    const pairOf = (point) => (point ? pairInList(SHOWN.tokens[point.y], SHOWN.tokens[point.x]) : null);
    onPlot(figure, "hover", (point) => {
      const pair = pairOf(point);
      setHover(pair?.query ?? null, pair?.key ?? null);
    });
    onPlot(figure, "unhover", () => setHover(null, null));
    onPlot(figure, "click", (point) => point && setState({ token: SHOWN.tokens[point.y], ...pairOf(point) }));
  },

  rows(figure) {
    const { rows, columns } = matrixAxes(figure);
    return matrixRows(`${rows.title} \\ ${columns.title}`, rows.labels, columns.labels, matrixCells(figure));
  },
};
