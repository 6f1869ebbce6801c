// The kind `terms`: the chosen cell's attention score split into its six terms.

const QUERY_TERMS = ["token", "position", "bias"];
const KEY_TERMS = ["token", "position"];
const TERM_NAMES = QUERY_TERMS.flatMap((query) => KEY_TERMS.map((key) => `${query} → ${key}`));

/** Returns the chosen heads whose scores are split: those of the first block. */
function scoredHeads() {
  return state.heads.filter((head) => firstHeadOf(head) >= 0);
}

/** Returns the six terms of a head at the chosen cell: blank where no score is kept or the key is not seen. */
function termsOf(head) {
  const { query, key } = chosenCell();
  const place = PREDICTED.indexOf(query);
  if (place < 0 || key === null || (CAUSAL && key > query)) return TERM_NAMES.map(() => null);
  return QUERY_TERMS.flatMap((_, q) => KEY_TERMS.map((_, k) => value("score_terms", state.list, firstHeadOf(head), q, k, place, key)));
}

/** Returns a head's total score at the chosen cell: the sum of its terms, null when they are blank. */
function totalOf(terms) {
  return terms.includes(null) ? null : terms.reduce((sum, term) => sum + term, 0);
}

KINDS.terms = {
  reads: ["list", "query", "key", "heads", "main"],
  missing: () => (LISTS.length === 0 ? "This report has no examples." : lacks("score_terms")),

  /** Draws a group of bars for each term and one for the total. */
  draw(figure) {
    const { ink } = palette();
    const heads = scoredHeads();
    const names = [...TERM_NAMES, "total"];
    const traces = heads.map((head) => {
      const terms = termsOf(head);
      const bars = [...terms, totalOf(terms)];
      return {
        type: "bar",
        name: `head ${HEADS[head]}`,
        x: names,
        y: bars,
        text: bars.map((bar) => (bar === null ? "" : bar.toFixed(1).replace("-", "−"))),
        textposition: "outside",
        textangle: heads.length > (isNarrow(figure) ? 1 : 3) ? -90 : 0,
        constraintext: "none",
        cliponaxis: false,
        textfont: { size: 10 },
        hovertemplate: "%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        marker: { color: headColour(head), line: { color: ink, width: 0.5 } },
      };
    });
    const all = traces.flatMap((trace) => trace.y);
    const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
    const room = (high - low || 1) * 0.14;
    const { xaxis } = kept(figure, [], () => ({ xaxis: axis(nameAxis(figure, names, "term of the score: query → key")) }));
    return drawPlot(figure, traces, {
      margin: { l: 48, r: 8, t: 40, b: xaxis.tickangle === 0 ? 56 : 118 },
      showlegend: true,
      bargap: 0.25,
      xaxis,
      yaxis: axis({ title: "score (logits)", zeroline: true, zerolinecolor: ink, range: [low < 0 ? low - room : 0, high > 0 ? high + room : 0] }),
    });
  },

  /** Names the pair and each head's total. */
  title() {
    const list = currentList();
    const { query, key } = chosenCell();
    const pair = `${placeName(list, query)} → ${key === null ? "no key" : placeName(list, key)}`;
    if (!PREDICTED.includes(query)) return `${pair}: no prediction is made at this position; choose one of ${positionRuns(PREDICTED)}`;
    const totals = scoredHeads().map((head) => {
      const total = totalOf(termsOf(head));
      return total === null ? `head ${HEADS[head]} cannot see this key` : `head ${HEADS[head]} scores ${num(total)}`;
    });
    return `${pair}: ${totals.join(", ") || "no chosen head is in the first block"}`;
  },

  rows() {
    const heads = scoredHeads();
    const columns = heads.map(termsOf);
    return [
      ["term", ...heads.map((head) => `head ${HEADS[head]}`)],
      ...TERM_NAMES.map((name, i) => [name, ...columns.map((terms) => terms[i])]),
      ["total", ...columns.map(totalOf)],
    ];
  },
};
