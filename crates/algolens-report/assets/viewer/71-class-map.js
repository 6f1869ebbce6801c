// The kind `class-map`: what is proved of every class, position by position.

// Shares below this look alike.
const LEAST_UNPROVED = 1e-6;
// The only row of position 0 is as high as these.
const ROWS_AT_SEP = 3;

/** Returns the chosen class. */
function chosenClass() {
  return CLASSES[state.class];
}

/** Returns the colour of undecided classes: far from the others in lightness. */
function undecidedColour() {
  return isDark() ? "#dfe3ea" : "#55606f";
}

/** Returns a slider for one field of the chosen class; `extent(class)` says between which values. */
function classSlider(words, field, extent) {
  const shown = el("output", { class: "shown" });
  const slider = el("input", { type: "range", step: 1, on: {
    input: () => setState({ class: nearestClass({ ...chosenClass(), [field]: Number(slider.value) }, field === "target" ? field : "token") }),
  } });
  const follow = () => {
    const chosen = chosenClass();
    [slider.min, slider.max] = extent(chosen);
    slider.value = String(chosen[field] ?? 0);
    slider.disabled = chosen[field] === null;
    const text = field === "position" ? String(chosen.position) : field === "token" ? predictingLabel(chosen) : classLabel(chosen.target);
    slider.setAttribute("aria-valuetext", text);
    shown.textContent = text;
  };
  watch(["class"], follow);
  follow();
  const label = labelled(words, slider);
  label.append(shown);
  label.className = "slider";
  return label;
}

/** Returns the smallest and the largest value that a field has at a class's position. */
function extentOf(field) {
  return ({ position }) => {
    const values = classesAt(position).map((one) => one[field] ?? 0);
    return [Math.min(...values), Math.max(...values)];
  };
}

/** Writes a share near 1 by what it lacks. */
function nearOne(lacking) {
  return lacking > 0 && lacking < 0.01 ? `1 − ${num(lacking)}` : num(1 - lacking);
}

/** Says in words what is known of a class. */
function classWords(one) {
  return [
    `d ${predictingLabel(one)} → y ${classLabel(one.target)}: ${STATUS_WORDS[one.status]}`,
    `${num(one.share)} of all predictions`,
    `of its lists right for sure: ${nearOne(one.unproved)}`,
    `wrong for sure: ${num(one.wrong)}`,
  ].join("\n");
}

/** Returns the right answers that the map's columns stand for, and the tokens of its rows; SEP has the only row there. */
function mapAxes(position) {
  const targets = LABELS.classes.slice(0, -1);
  return {
    rows: { labels: position === 0 ? ["SEP"] : LABELS.tokens.slice(0, -1), title: position === 0 ? "" : "d: the token that predicts" },
    columns: { labels: targets, title: "y: the right answer" },
  };
}

/** Returns the cells of a position: rows of classes, null where there is none. */
function mapCells(position) {
  const { rows, columns } = mapAxes(position);
  const cells = rows.labels.map(() => columns.labels.map(() => null));
  for (const one of classesAt(position)) cells[one.token ?? 0][one.target] = one;
  return cells;
}

/** Returns a heatmap for each status: two flat ones, and one by how much is not proved right. */
function mapTraces(figure, cells) {
  const { rows, columns } = mapAxes(chosenClass().position);
  const text = cellTexts(rows.labels.length, columns.labels.length, (row, column) => (cells[row][column] ? classWords(cells[row][column]) : ""));
  const trace = (status, number, look) => ({
    type: "heatmap",
    name: STATUS_WORDS[status],
    z: cells.map((row) => row.map((one) => (one?.status === status ? number(one) : null))),
    text,
    hoverinfo: "text",
    hoverongaps: false,
    ...look,
  });
  const flat = (colour) => ({ zmin: 0, zmax: 1, colorscale: [[0, colour], [1, colour]], showscale: false });
  const least = Math.log10(LEAST_UNPROVED);
  return [
    trace("c", () => 1, flat(CERTIFIED)),
    trace("u", () => 1, flat(undecidedColour())),
    trace("r", ({ unproved }) => Math.log10(Math.max(unproved, LEAST_UNPROVED)), {
      zmin: least,
      zmax: 0,
      colorscale: REFUTED,
      colorbar: scaleBar(gridArea(figure).height, "share of the class not proved right", {
        tickvals: [least, -4, -2, 0],
        ticktext: ["≤ 10<sup>−6</sup>", "10<sup>−4</sup>", "10<sup>−2</sup>", "1"],
      }),
    }),
  ];
}

KINDS["class-map"] = {
  reads: ["class"],
  missing: lacksClasses,

  /** Adds the sliders and the legend, and reserves the largest map. */
  prepare(figure) {
    const { rows, columns } = mapAxes(1);
    const positions = CLASSES.at(-1).position;
    figure.legend = el("p", { class: "legend" });
    controlsOf(figure).append(
      classSlider("position i", "position", () => [0, positions]),
      classSlider("token d", "token", extentOf("token")),
      classSlider("right answer y", "target", extentOf("target")),
      figure.legend,
    );
    reserveGrid(figure, rows.labels.length, columns.labels.length);
  },

  /** Draws the map of the chosen class's position and frames the class. */
  draw(figure) {
    const { position, token, target } = chosenClass();
    const { rows, columns } = mapAxes(position);
    figure.plot.style.setProperty("--rows", position === 0 ? ROWS_AT_SEP : rows.labels.length);
    const { traces, layout } = kept(figure, [position], () => ({ traces: mapTraces(figure, mapCells(position)), layout: gridLayout(figure, rows, columns) }));
    const colours = [["c", CERTIFIED], ["r", REFUTED.at(-2)[1]], ["u", undecidedColour()]];
    figure.legend.replaceChildren(...colours.map(([status, colour]) => el("span", {}, swatchOf(colour), STATUS_WORDS[status])));
    const row = token ?? 0;
    return drawPlot(figure, traces, { ...layout, shapes: outline(target - 0.5, target + 0.5, row - 0.5, row + 0.5, 2) });
  },

  /** A click chooses the class. */
  listen(figure) {
    onPlot(figure, "click", (point) => {
      const chosen = point && mapCells(chosenClass().position)[point.y][point.x];
      if (chosen) setState({ class: chosen.index });
    });
  },

  /** Counts the classes of the position. */
  title() {
    const { position } = chosenClass();
    const all = classesAt(position);
    const count = (status) => all.filter((one) => one.status === status).length;
    const mass = (classes) => classes.reduce((sum, one) => sum + one.share, 0);
    const certified = mass(all.filter((one) => one.status === "c")) / mass(all);
    return `Position ${position}: ${count("c")} of ${all.length} classes, with ${num(100 * certified)} % of its predictions, are right on every list; ${count("r")} are wrong on some, ${count("u")} undecided`;
  },

  rows() {
    const header = ["position", "d", "y", "status", "share", "not proved right", "proved wrong"];
    return [header, ...classesAt(chosenClass().position).map((one) =>
      [one.position, predictingLabel(one), classLabel(one.target), STATUS_WORDS[one.status], one.share, one.unproved, one.wrong])];
  },
};
