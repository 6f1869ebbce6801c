// The kind `qk-bar`: how much each source token is sought by the chosen destination token.

const SCORES = { drawn: "W_QK_full", effective: "QK_effective" };

/** Returns the array whose scores are shown: the chosen one where the report has it. */
function shownScores() {
  const wanted = SCORES[state.scores];
  return hasArray(wanted) ? wanted : Object.values(SCORES).find(hasArray);
}

/** Returns the place of the destination token among those shown. */
function destination() {
  return SHOWN.tokens.indexOf(state.token);
}

/** Returns the slider of the destination token, which follows the selection. */
function tokenSlider() {
  const shown = el("output", { class: "shown" });
  const slider = el("input", { type: "range", min: 0, max: SHOWN.tokens.length - 1, step: 1, on: {
    input: () => setState({ token: SHOWN.tokens[Number(slider.value)] }),
  } });
  const follow = () => {
    slider.value = String(destination());
    slider.setAttribute("aria-valuetext", tokenLabel(state.token));
    shown.textContent = tokenLabel(state.token);
  };
  watch(["token"], follow);
  follow();
  const label = labelled("Destination token", slider);
  label.append(shown);
  label.className = "slider";
  return label;
}

/** Returns the switch between the scores as drawn and as the softmax sees them. */
function scoresSwitch(figure) {
  const radios = Object.keys(SCORES).map((name) => {
    const label = radio(`${figure.name}-scores`, name, false, () => setState({ scores: name }));
    const input = label.querySelector("input");
    input.value = name;
    input.disabled = !hasArray(SCORES[name]);
    return label;
  });
  const follow = () => radios.forEach((label) => {
    const input = label.querySelector("input");
    input.checked = SCORES[input.value] === shownScores();
  });
  watch(["scores"], follow);
  follow();
  return el("fieldset", {}, el("legend", { text: "Scores" }), ...radios);
}

/** Returns the axis of source tokens, of many with few labels so that the slider stays swift. */
function sourceAxis(figure) {
  const count = AXES.tokens.length;
  const room = (figure.plot.clientWidth - 60) / count;
  return axis({
    title: isNarrow(figure) ? "source token" : "source token (band: the destination token itself)",
    ...ticks(AXES.tokens, count > 20 ? Math.min(12, room) : room),
    tickangle: 0,
    showgrid: false,
    range: [-0.7, count - 0.3],
  });
}

/** Returns the axis limit for some scores: the array's largest, halved while they fit, so that it seldom moves. */
function barLimit(name, scores) {
  const most = Math.max(...scores.map(Math.abs));
  let limit = largestOf(name) * 1.05 || 1;
  while (most > 0 && limit / 2 > most * 1.02) limit /= 2;
  return limit;
}

KINDS["qk-bar"] = {
  reads: ["token", "heads", "scores"],
  missing: () => (Object.values(SCORES).some(hasArray) ? null : lacks(SCORES.drawn)),

  /** Adds the slider and the switch. */
  prepare(figure) {
    controlsOf(figure).append(tokenSlider(), scoresSwitch(figure));
  },

  /** Draws a bar for each source token and chosen head. */
  draw(figure) {
    const { ink, rule } = palette();
    const name = shownScores();
    const traces = scoredHeads().map((head) => ({
      type: "bar",
      name: `head ${HEADS[head]}`,
      x: AXES.tokens.map((_, place) => place),
      y: vector(name, firstHeadOf(head), destination()),
      customdata: AXES.tokens.map(forPlotly),
      hovertemplate: "source %{customdata}: %{y:.3g}<extra>%{fullData.name}</extra>",
      marker: { color: headColour(head), line: { color: ink, width: 0.3 } },
    }));
    const limit = barLimit(name, traces.flatMap((trace) => trace.y));
    const { xaxis } = kept(figure, [], () => ({ xaxis: sourceAxis(figure) }));
    const band = { x0: destination() - 0.5, x1: destination() + 0.5 };
    return drawPlot(figure, traces, {
      margin: { l: 52, r: 8, t: 36, b: 48 },
      showlegend: true,
      bargap: 0.2,
      shapes: [{ ...band, type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: rule }],
      xaxis,
      yaxis: axis({ title: "score", range: [-limit, limit] }),
    });
  },

  /** States which source token each head seeks most. */
  title() {
    const best = scoredHeads().slice(0, 4).map((head) => {
      const row = vector(shownScores(), firstHeadOf(head), destination());
      const source = indexOfLargest(row);
      return source === null ? `head ${HEADS[head]} has no scores` : `head ${HEADS[head]} seeks ${AXES.tokens[source]} most (${num(row[source])})`;
    });
    return `From token ${tokenLabel(state.token)}, ${best.join("; ") || "no chosen head is in the first block"}`;
  },

  rows() {
    const heads = scoredHeads();
    const columns = heads.map((head) => vector(shownScores(), firstHeadOf(head), destination()));
    return [
      ["destination", "source", ...heads.map((head) => `head ${HEADS[head]}`)],
      ...AXES.tokens.map((label, place) => [tokenLabel(state.token), label, ...columns.map((column) => column[place])]),
    ];
  },
};
