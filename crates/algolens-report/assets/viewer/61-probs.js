// The kind `probs`: what the model predicts at each position of the selected list.

const PROBS_MARGIN = { r: 8, t: 8, b: 104 };

/** Returns the axis labels of the predicted positions: their token and position. */
function predictedPlaces() {
  const list = currentList();
  return PREDICTED.map((position) => placeName(list, position));
}

/** Returns the rows of those classes that are shown. */
function shownAnswers(classes) {
  return classes.map((one) => SHOWN.classes.indexOf(one)).filter((row) => row >= 0);
}

/** Returns the markers of the answers: a ring on each right answer. */
function answerRings(list, probs) {
  const scored = PREDICTED.map((_, place) => place).filter((place) => list.right_at[place] !== null);
  const rings = scored.flatMap((place) => shownAnswers(rightClasses(list, place)).map((answer) => ({ answer, place })));
  const chances = rings.map(({ answer, place }) => probs[answer][place]);
  return {
    type: "scatter",
    mode: "markers",
    name: "right answer",
    x: rings.map(({ place }) => place),
    y: rings.map(({ answer }) => answer),
    hoverinfo: "skip",
    marker: { symbol: "circle-open", size: 11, line: { width: 2 }, color: chances.map((p) => (p > 0.5 ? "#000000" : "#ffffff")) },
  };
}

/** Returns the markers of the mistakes: a cross on each wrong prediction. */
function wrongCrosses(list) {
  const wrong = PREDICTED.map((_, place) => place).filter((place) => list.right_at[place] === false);
  const said = (place) => saidClasses(list, place).filter((answer) => !rightClasses(list, place).includes(answer));
  const crosses = wrong.flatMap((place) => shownAnswers(said(place)).map((answer) => ({ answer, place })));
  return {
    type: "scatter",
    mode: "markers",
    name: "wrong prediction",
    x: crosses.map(({ place }) => place),
    y: crosses.map(({ answer }) => answer),
    hoverinfo: "skip",
    marker: { symbol: "x", size: 10, color: WRONG_MARK, line: { width: 1, color: "#ffffff" } },
  };
}

/** Returns the labels of the classes beside the axis: whole where there is room for them. */
function classTicks(figure) {
  const room = probsHeight(figure) / AXES.classes.length;
  const longest = Math.max(...AXES.classes.map((label) => label.length));
  if (room < 13 || longest > 16) return { ...ticks(AXES.classes, room), left: 54 };
  const all = AXES.classes.map((_, i) => i);
  return { tickmode: "array", tickvals: all, ticktext: AXES.classes.map(forPlotly), left: Math.max(54, 30 + 7 * longest) };
}

/** Returns the height of the plotting area. */
function probsHeight(figure) {
  return figure.plot.clientHeight - PROBS_MARGIN.t - PROBS_MARGIN.b;
}

/** Returns the heatmap of the probabilities with its rings and crosses. */
function probsTraces(figure) {
  const list = currentList();
  const probs = matrix("probs", state.list);
  const places = predictedPlaces();
  const heat = {
    type: "heatmap",
    z: probs,
    zmin: 0,
    zmax: 1,
    colorscale: "Cividis",
    hoverinfo: "text",
    text: cellTexts(probs.length, places.length, (answer, place) =>
      `after ${places[place]}\n${AXES.classes[answer]} has probability ${num(probs[answer][place])}`),
    colorbar: scaleBar(probsHeight(figure), "probability", { y: -60 / probsHeight(figure) }),
  };
  return [heat, answerRings(list, probs), wrongCrosses(list)];
}

/** Returns the layout: classes from top to bottom, the predicted places from left to right. */
function probsLayout(figure) {
  const classes = AXES.classes.length;
  const places = predictedPlaces();
  const bare = { showgrid: false, zeroline: false };
  const { left, ...classAxis } = classTicks(figure);
  return {
    margin: { ...PROBS_MARGIN, l: left },
    showlegend: false,
    xaxis: axis({
      ...bare,
      ...nameAxis(figure, places, "token (position) the prediction is made at"),
      tickvals: places.map((_, i) => i),
      ticktext: places.map(forPlotly),
      range: [-0.5, places.length - 0.5],
    }),
    yaxis: axis({ ...bare, title: "prediction", ...classAxis, range: [classes - 0.5, -0.5] }),
  };
}

KINDS.probs = {
  reads: ["list", "query"],
  missing: () => (LISTS.length === 0 ? "This report has no examples." : lacks("probs")),

  /** Adds the list menu and reserves ten pixels for each class, more where there are few. */
  prepare(figure) {
    controlsOf(figure).append(labelled("Example", listMenu("Example whose predictions are shown")));
    figure.plot.style.setProperty("--rows", Math.max(AXES.classes.length, Math.min(12, 4 * AXES.classes.length)));
  },

  /** Draws the probabilities, the rings, the crosses and a frame around the query's column. */
  draw(figure) {
    const { traces, layout } = kept(figure, [state.list], () => ({ traces: probsTraces(figure), layout: probsLayout(figure) }));
    const column = PREDICTED.indexOf(state.query);
    return drawPlot(figure, traces, {
      ...layout,
      shapes: column < 0 ? [] : outline(column - 0.5, column + 0.5, -0.5, AXES.classes.length - 0.5),
    });
  },

  /** A click chooses the query position. */
  listen(figure) {
    onPlot(figure, "click", (point) => point && selectQuery(PREDICTED[point.x]));
  },

  /** States how many answers are right. */
  title() {
    const list = currentList();
    const wrong = list.right_at.filter((right) => right === false).length;
    const sure = list.prob_expected.filter((_, place) => list.right_at[place] !== null);
    if (sure.length === 0) return "No answer is scored";
    const all = sure.length === 1 ? "The answer is right" : `All ${sure.length} answers are right`;
    const right = wrong === 0 ? all : `${wrong} of ${sure.length} answers ${wrong === 1 ? "is" : "are"} wrong`;
    return `${right}; the least probable right answer has ${num(Math.min(...sure))}`;
  },

  rows: () => matrixRows("prediction", AXES.classes, predictedPlaces(), matrix("probs", state.list)),
};
