// The kind `counterexample`: a list of the chosen class that is predicted wrong, and what the heads attend to there.

/** Returns the chosen class's list with the keys its prediction sees, or null where there is none. */
function chosenExample() {
  const found = PROOF.examples[state.class];
  if (!found) return null;
  const { position, target } = chosenClass();
  const [list, predicted, margin, attention] = found;
  const sorted = [...list].sort((a, b) => a - b).slice(0, position);
  return { list, predicted, margin, attention, target, keys: [...list, LABELS.tokens.length - 1, ...sorted] };
}

/** Says in two lines why the chosen class has no list here. */
function noExampleWords() {
  return {
    c: "Right on every list:<br>there is no counterexample.",
    r: "No list of it is here<br>(algolens certify --lists).",
    u: "Undecided: neither proved<br>nor refuted so far.",
  }[chosenClass().status];
}

/** Returns the marks above the keys: a ring over the right answer, crosses over what the model says. */
function keyMarks({ keys, predicted, target }) {
  const { ink } = palette();
  const over = (token) => keys.flatMap((key, i) => (key === token ? [i] : []));
  const marks = (token, marker) => ({
    type: "scatter",
    mode: "markers",
    x: over(token),
    y: over(token).map(() => -1),
    hoverinfo: "skip",
    showlegend: false,
    marker: { size: 10, ...marker },
  });
  return [
    marks(target, { symbol: "circle-open", line: { width: 2 }, color: ink }),
    marks(predicted, { symbol: "x", color: WRONG_MARK }),
  ];
}

/** Returns a strip for each head; every cell says its percent. */
function stripTraces(figure, example) {
  const { keys, attention } = example;
  const heads = attention.map((_, head) => `head ${FIRST_HEADS[head]}`);
  return [{
    type: "heatmap",
    z: attention,
    zmin: 0,
    zmax: 100,
    colorscale: "Cividis",
    xgap: 1,
    ygap: 1,
    ...(isNarrow(figure) ? {} : { texttemplate: "%{z}", textfont: { size: 10 } }),
    text: cellTexts(heads.length, keys.length, (head, key) => `${heads[head]} → ${tokenLabel(keys[key])} (${key}): ${attention[head][key]} %`),
    hoverinfo: "text",
    colorbar: scaleBar(gridArea(figure).height, "attention (percent)"),
  }, ...keyMarks(example)];
}

/** Returns the layout: every key that a list has, the heads below a row of marks, SEP between two lines. */
function stripLayout(figure, { list, keys }) {
  const rows = { labels: FIRST_HEADS.map((head) => String(head)), title: "head" };
  const columns = { labels: Array.from({ length: 2 * list.length }, (_, i) => (i < keys.length ? tokenLabel(keys[i]) : "")), title: "list, SEP, sorted so far" };
  const layout = gridLayout(figure, rows, columns);
  layout.yaxis.range[1] = -1.5;
  layout.xaxis.tickvals = layout.xaxis.tickvals.filter((key) => key < keys.length);
  const beside = (x) => ({ type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, line: { width: 1, color: palette().soft } });
  return { ...layout, plot_bgcolor: palette().paper, shapes: [beside(list.length - 0.5), beside(list.length + 0.5)] };
}

/** Draws a sentence in an empty plot. */
function drawSentence(figure, text) {
  const hidden = axis({ visible: false });
  return drawPlot(figure, [], { margin: { l: 0, r: 0, t: 0, b: 0 }, xaxis: hidden, yaxis: hidden, annotations: [{ text, xref: "paper", yref: "paper", x: 0, y: 0.5, xanchor: "left", align: "left", showarrow: false, font: { size: 14, color: palette().soft } }] });
}

KINDS.counterexample = {
  reads: ["class"],
  missing: lacksClasses,

  /** Reserves a row of marks and one for each head, a column for each key that a prediction may see. */
  prepare(figure) {
    const positions = CLASSES.at(-1).position + 1;
    reserveGrid(figure, FIRST_HEADS.length + 1, 2 * positions);
  },

  /** Draws the strips, or says why there are none. */
  draw(figure) {
    const example = chosenExample();
    if (!example) return drawSentence(figure, noExampleWords());
    return drawPlot(figure, stripTraces(figure, example), stripLayout(figure, example));
  },

  /** Names the class, the list, and what is said of it. */
  title() {
    const chosen = chosenClass();
    const example = chosenExample();
    const step = `After ${predictingLabel(chosen)} at position ${chosen.position} comes ${classLabel(chosen.target)}: ${STATUS_WORDS[chosen.status]}`;
    if (!example) return step;
    const { list, predicted, margin } = example;
    return `${step}. For ${list.map(tokenLabel).join(" ")} the model says ${classLabel(predicted)} (margin ${num(margin)} logits)`;
  },

  rows() {
    const example = chosenExample();
    if (!example) return [["class", "status"], [className(chosenClass()), STATUS_WORDS[chosenClass().status]]];
    const { keys, attention } = example;
    return [["key", "token", ...FIRST_HEADS.map((head) => `head ${head} (percent)`)],
      ...keys.map((token, key) => [key, tokenLabel(token), ...attention.map((row) => row[key])])];
  },
};
