// The kind `matrix`: a signed matrix of one head, or of the direct path.

const MATRIX_AXES = {
  W_OV_full: { rows: ["tokens", "source token"], columns: ["classes", "prediction"] },
  W_QK_full: { rows: ["tokens", "attending token"], columns: ["tokens", "attended token"] },
  QK_effective: { rows: ["tokens", "attending token"], columns: ["tokens", "attended token"] },
  W_QK_pos_query: { rows: ["positions", "attending position"], columns: ["tokens", "attended token"] },
  W_QK_pos_key: { rows: ["tokens", "attending token"], columns: ["positions", "attended position"] },
  direct_path: { rows: ["tokens", "source token"], columns: ["classes", "prediction"] },
};
const TOKEN_PAIRS = ["W_QK_full", "QK_effective"];

/** Returns the words and labels of a matrix's two axes. */
function matrixAxes(figure) {
  const { rows, columns } = MATRIX_AXES[figure.array];
  return {
    rows: { labels: LABELS[rows[0]], title: rows[1] },
    columns: { labels: LABELS[columns[0]], title: columns[1] },
  };
}

/** Returns a figure's matrix as rows of numbers. */
function matrixCells(figure) {
  return figure.head === null ? matrix(figure.array) : matrix(figure.array, figure.head);
}

/** Returns lines beside the diagonal over the tokens that each head serves, thick for the card's own head. */
function servedRanges(figure) {
  const { ranges = [] } = RESULTS.serving ?? {};
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
    line: { color: headColour(HEADS.indexOf(head)), width: head === FIRST_HEADS[figure.head] ? 6 : 2 },
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

  /** Says why a matrix cannot be drawn. */
  missing(figure) {
    if (!MATRIX_AXES[figure.array]) return `The viewer knows no matrix ${figure.array}.`;
    return lacks(figure.array);
  },

  /** Reserves square cells. */
  prepare(figure) {
    const { rows, columns } = matrixAxes(figure);
    reserveGrid(figure, rows.labels.length, columns.labels.length);
  },

  /** Draws the matrix around zero, with the limits that all heads share. */
  draw(figure) {
    const { rows, columns } = matrixAxes(figure);
    const cells = matrixCells(figure);
    const limit = largestOf(figure.array) || 1;
    const heat = {
      type: "heatmap",
      z: cells,
      zmin: -limit,
      zmax: limit,
      zmid: 0,
      colorscale: DIVERGING,
      hoverinfo: "text",
      text: cellTexts(rows.labels.length, columns.labels.length, (row, column) =>
        `${rows.title} ${rows.labels[row]}\n${columns.title} ${columns.labels[column]}\n${num(cells[row][column])}`),
      colorbar: scaleBar(gridArea(figure).height, "logits"),
    };
    const ranges = figure.array === "W_OV_full" ? servedRanges(figure) : [];
    return drawPlot(figure, [heat, ...ranges], gridLayout(figure, rows, columns));
  },

  /** Pairs of tokens light up where the list has them, and a click chooses them. */
  listen(figure) {
    if (!TOKEN_PAIRS.includes(figure.array)) return;
    const pairOf = (point) => (point ? pairInList(point.y, point.x) : null);
    onPlot(figure, "hover", (point) => {
      const pair = pairOf(point);
      setHover(pair?.query ?? null, pair?.key ?? null);
    });
    onPlot(figure, "unhover", () => setHover(null, null));
    onPlot(figure, "click", (point) => point && setState({ token: point.y, ...pairOf(point) }));
  },

  rows(figure) {
    const { rows, columns } = matrixAxes(figure);
    return matrixRows(`${rows.title} \\ ${columns.title}`, rows.labels, columns.labels, matrixCells(figure));
  },
};
