// The token strip: the list's tokens, the model's answers, and lines to what the query attends to.

const strip = {};

/** Builds the strip: the list menu, the heads' legend, and the chips that scroll sideways when they must. */
function startStrip() {
  const root = document.getElementById("strip");
  if (LISTS.length === 0) {
    root.remove();
    return;
  }
  strip.legend = el("p", { class: "legend" });
  strip.lines = svg("svg", { class: "lines", "aria-hidden": "true" });
  strip.chips = el("div", { class: "chips", role: "radiogroup", "aria-label": "Query position; arrow keys move it", on: { keydown: moveQuery } });
  strip.lane = el("div", { class: "lane" }, strip.lines, strip.chips);
  strip.scroll = el("div", { class: "lane-scroll" }, strip.lane);
  root.append(el("div", { class: "strip-side" }, listMenu("Example shown by every figure"), strip.legend), strip.scroll);
  fillStrip();
  watch(["list"], fillStrip);
  watch(["query", "key", "heads", "main"], markStrip);
  watch(["hover"], markStrip);
  new ResizeObserver(drawStripLines).observe(strip.lane);
}

/** Says in words what the model answered after a position. */
function answerWords(list, place) {
  const answer = saidClasses(list, place).map(classLabel).join(", ");
  const verdicts = { true: "right", false: `wrong: it is ${rightClasses(list, place).map(classLabel).join(", ")}`, null: "not scored" };
  return `the model answered ${answer}, ${verdicts[list.right_at[place]]}`;
}

/** Returns the index of the prediction that is shown at a position, -1 if none is: where answers follow, at the token that comes next. */
function placeShownAt(position) {
  return PREDICTED.indexOf(ANSWERS_FOLLOW ? position - 1 : position);
}

/** Builds the chip of one position. */
function stripChip(list, position) {
  const place = placeShownAt(position);
  const words = [`Position ${position}, token ${tokenAt(list, position)}`];
  const chip = el("button", { type: "button", class: "chip", role: "radio", on: {
    click: () => selectQuery(position),
    mouseenter: () => setHover(position, null),
    mouseleave: () => setHover(null, null),
  } }, el("span", { class: "token", text: tokenAt(list, position) }));
  if (PREDICTED.includes(position)) chip.classList.add("predicts");
  if (place >= 0) {
    const wrong = list.right_at[place] === false;
    words.push(answerWords(list, place));
    chip.append(el("span", { class: wrong ? "answer wrong" : "answer", text: (wrong ? "✗ " : "") + saidClasses(list, place).map(classLabel).join(", ") }));
  }
  chip.setAttribute("aria-label", words.join(", "));
  chip.title = words.join(", ");
  return chip;
}

/** Fills the strip with the selected list. */
function fillStrip() {
  const list = currentList();
  const hadFocus = strip.chips.contains(document.activeElement);
  const chips = list.tokens.map((_, position) => stripChip(list, position));
  chips[PREDICTED[0]]?.classList.add("divider");
  strip.chips.replaceChildren(...chips);
  markStrip();
  if (hadFocus) strip.chips.children[state.query].focus();
}

/** Marks the query, the key and the pair under the pointer, and draws the lines. */
function markStrip() {
  [...strip.chips.children].forEach((chip, position) => {
    const chosen = position === state.query;
    chip.setAttribute("aria-checked", chosen);
    chip.tabIndex = chosen ? 0 : -1;
    chip.classList.toggle("key", position === state.key);
    chip.classList.toggle("lit", position === hover.query || position === hover.key);
  });
  fillHeadLegend(strip.legend, state.heads, state.heads.length > 2);
  if (hover.query === null) revealChip(strip.chips.children[state.query]);
  drawStripLines();
}

/** Redraws the strip in the present theme. */
function redrawStrip() {
  if (strip.chips) markStrip();
}

/** Moves the query with the arrow keys, Home and End. */
function moveQuery(event) {
  const last = strip.chips.children.length - 1;
  const goals = { ArrowLeft: state.query - 1, ArrowUp: state.query - 1, ArrowRight: state.query + 1, ArrowDown: state.query + 1, Home: 0, End: last };
  const goal = goals[event.key];
  if (goal === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  selectQuery(Math.max(0, Math.min(last, goal)));
  strip.chips.children[state.query].focus({ preventScroll: true });
}

/** Scrolls the strip, never the page, so that a chip is seen. */
function revealChip(chip) {
  const left = chip.offsetLeft - 40;
  const right = chip.offsetLeft + chip.offsetWidth + 40;
  const { scrollLeft, clientWidth } = strip.scroll;
  if (left < scrollLeft) strip.scroll.scrollLeft = left;
  else if (right > scrollLeft + clientWidth) strip.scroll.scrollLeft = right - clientWidth;
}

/** Draws, for each chosen head, a line from the query to every position it attends to. */
function drawStripLines() {
  strip.lines.replaceChildren();
  if (!hasArray("pattern")) return;
  const height = strip.lines.clientHeight;
  const query = hover.query ?? state.query;
  const middles = [...strip.chips.children].map((chip) => chip.offsetLeft + chip.offsetWidth / 2);
  state.heads.forEach((head, turn) => {
    const shift = (turn - (state.heads.length - 1) / 2) * 3;
    vector("pattern", state.list, head, query).forEach((weight, key) => {
      if (weight === null || weight < 0.02) return;
      strip.lines.append(attentionLine(middles[query] + shift, middles[key] + shift, height, weight, head));
    });
  });
}

/** Returns the arc of one weight; a loop when a position attends to itself. */
function attentionLine(from, to, height, weight, head) {
  const rise = Math.min(height - 4, 10 + Math.abs(from - to) / 14);
  const top = height - (from === to ? height * 0.7 : rise) * 1.33;
  const bend = from === to ? 12 : 0;
  return svg("path", {
    d: `M ${from} ${height} C ${from - bend} ${top}, ${to + bend} ${top}, ${to} ${height}`,
    fill: "none",
    stroke: headColour(head),
    "stroke-width": 0.6 + 5 * weight,
    "stroke-opacity": 0.35 + 0.6 * weight,
  });
}
