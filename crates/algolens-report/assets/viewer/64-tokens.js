// The kind `tokens`: the list twice as chips, with what the chosen token attends to and what attends to it.

const DIRECTIONS = [
  {
    name: "attends",
    heading: (place) => `${place} attends to`,
    pair: (focus, chip) => [focus, chip],
    choose: (chip) => setState({ key: chip }),
  },
  {
    name: "attended",
    heading: (place) => `${place} is attended to by`,
    pair: (focus, chip) => [chip, focus],
    choose: (chip) => selectQuery(chip, state.query),
  },
];

/** Returns the position whose attention is shown: the one under the pointer, else the query. */
function focusPosition() {
  return hover.query ?? state.query;
}

/** Returns the weights of a pair of positions as text, for each chosen head. */
function weightWords(query, key) {
  return state.heads.map((head) => `head ${HEADS[head]} ${share(value("pattern", state.list, head, query, key))}`).join(", ");
}

/** Builds one row of chips; a chip in it stands for a position. */
function tokenRow(figure, direction) {
  const heading = el("p", { class: "row-heading" });
  const readout = el("p", { class: "readout", "aria-hidden": "true" });
  const show = (position) => { readout.textContent = readoutWords(direction, position); };
  const clear = () => { readout.textContent = ""; };
  const chips = LISTS[0].tokens.map((_, position) =>
    el("button", { type: "button", class: "chip", on: {
      mouseenter: () => show(position),
      focus: () => show(position),
      mouseleave: clear,
      blur: clear,
      click: () => direction.choose(position),
    } }, el("span", { class: "bars" }), el("span", { class: "token" })));
  const row = el("div", { class: "chips", role: "group" }, ...chips);
  figure.plot.append(el("div", { class: "row-top" }, heading, readout), row);
  return { direction, heading, chips, row };
}

/** Says which pair a chip's bars measure, and their weights. */
function readoutWords(direction, position) {
  const [query, key] = direction.pair(state.query, position);
  const list = currentList();
  return `${placeName(list, query)} → ${placeName(list, key)}: ${weightWords(query, key)}`;
}

/** Fills one row for the position in focus. */
function fillTokenRow({ direction, heading, chips, row }) {
  const list = currentList();
  const focus = focusPosition();
  heading.textContent = direction.heading(placeName(list, focus));
  row.setAttribute("aria-label", heading.textContent);
  const patterns = state.heads.map((head) => matrix("pattern", state.list, head));
  chips.forEach((chip, position) => {
    const [query, key] = direction.pair(focus, position);
    const [bars, token] = chip.children;
    token.textContent = tokenAt(list, position);
    bars.replaceChildren(...state.heads.map((head, i) => weightBar(head, patterns[i][query][key])));
    chip.setAttribute("aria-label", `${placeName(list, position)}: ${weightWords(query, key)}`);
    chip.classList.toggle("chosen", position === focus);
    chip.classList.toggle("key", position === (hover.key ?? state.key));
  });
}

/** Returns the bar of a weight in a head's colour. */
function weightBar(head, weight) {
  const bar = el("span", { class: "bar" });
  bar.style.setProperty("--head", headColour(head));
  bar.style.setProperty("--weight", weight ?? 0);
  return bar;
}

KINDS.tokens = {
  reads: ["list", "query", "key", "heads", "main", "hover"],
  image: "none",
  missing: () => (LISTS.length === 0 ? "This report has no examples." : lacks("pattern")),

  /** Builds both rows at their final size. */
  prepare(figure) {
    figure.plot.setAttribute("role", "group");
    figure.legend = el("p", { class: "legend" });
    controlsOf(figure).append(figure.legend);
    figure.tokenRows = DIRECTIONS.map((direction) => tokenRow(figure, direction));
    this.draw(figure);
  },

  /** Fills both rows. */
  draw(figure) {
    fillHeadLegend(figure.legend, state.heads);
    figure.tokenRows.forEach(fillTokenRow);
  },

  rows() {
    const list = currentList();
    const focus = focusPosition();
    const header = ["direction", "query", "key", ...state.heads.map((head) => `head ${HEADS[head]}`)];
    return [header, ...DIRECTIONS.flatMap((direction) => list.tokens.map((_, position) => {
      const [query, key] = direction.pair(focus, position);
      const weights = state.heads.map((head) => value("pattern", state.list, head, query, key));
      return [direction.name, placeName(list, query), placeName(list, key), ...weights];
    }))];
  },
};
