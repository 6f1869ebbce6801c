// The kind `strips`: the number of each run for each of several claims, a strip a claim.

// By the places of verdicts, which differ in shape too.
const VERDICTS = [
  { words: "holds", symbol: "circle" },
  { words: "holds, as a control does", symbol: "square" },
  { words: "holds partly", symbol: "triangle-up" },
  { words: "fails", symbol: "x" },
  { words: "not asked", symbol: "circle" },
];
const NOT_ASKED = 4;
// In pixels: the names' width, a line of them, the height that a strip's dots have, most that those of one place take sideways
// where others are on the scale, the words at its ends, the room below.
const STRIP = { names: 310, line: 16, band: 40, sideways: 40, ends: 16, gap: 14 };
// The width of a letter of a name, in the mean.
const LETTER = 6.4;

/** Returns the place of the verdict on a claim in a run. */
function verdictAt(figure, run, claim) {
  const place = figure.verdicts[run][claim];
  return place in VERDICTS ? place : NOT_ASKED;
}

/** Returns the verdicts that dots have, by their places. */
function shownVerdicts(figure) {
  const has = (verdict) => figure.numbers.some((row, run) => row.some((number, claim) => Number.isFinite(number) && verdictAt(figure, run, claim) === verdict));
  return VERDICTS.map((_, verdict) => verdict).filter(has);
}

/** Says how many of the runs that were asked hold. */
function holdWords(verdicts) {
  const asked = verdicts.filter((verdict) => verdict !== NOT_ASKED).length;
  return asked > 0 ? `${verdicts.filter((verdict) => verdict === 0).length} of ${asked} hold` : "no run was asked";
}

/** Returns the words at the two ends of a scale: plain numbers where the unit's words are the same. */
function endWords(unit, low, high) {
  const words = [low, high].map((end) => inUnit(unit, end));
  return words[0] !== words[1] || low === high ? words : [low, high].map(single);
}

/** Returns each claim's strip: its name in lines, what is said of it, its scale, and where it lies. */
function stripsOf(figure) {
  const { names, units } = figure.plotted;
  const narrow = isNarrow(figure);
  const letters = Math.floor((narrow ? figure.plot.clientWidth : STRIP.names - 16) / LETTER);
  let top = 0;
  return names.map((name, claim) => {
    const numbers = figure.numbers.map((run) => run[claim]);
    const finite = numbers.filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const lines = wrapped(name, letters);
    const words = STRIP.line * (lines.length + 1);
    const begin = top + (narrow ? words + 4 : 0);
    const here = top;
    top = (narrow ? begin + STRIP.band + STRIP.ends : Math.max(top + words, top + STRIP.band + STRIP.ends)) + STRIP.gap;
    return {
      lines,
      numbers,
      verdicts: figure.numbers.map((_, run) => verdictAt(figure, run, claim)),
      unit: units[claim],
      ends: finite.length > 0 ? endWords(units[claim], low, high) : [],
      share: (x) => (high > low ? (x - low) / (high - low) : 0.5),
      top: here,
      middle: begin + STRIP.band / 2,
      bottom: top,
    };
  });
}

/** Returns where dots of a strip lie: those of about one place in a block around it. */
function placedDots(strip, width, side) {
  const blocks = new Map();
  strip.numbers.forEach((number, run) => {
    if (!Number.isFinite(number)) return;
    const place = Math.round((strip.share(number) * width) / side);
    if (!blocks.has(place)) blocks.set(place, []);
    blocks.get(place).push(run);
  });
  const places = [...blocks.keys()].sort((a, b) => a - b);
  return places.flatMap((place, i) => {
    const nearest = Math.min(place - (places[i - 1] ?? -Infinity), (places[i + 1] ?? Infinity) - place);
    const room = places.length === 1 ? width / 2 : Math.min(STRIP.sideways, (nearest - 1) * side);
    return blockOf(strip, place * side, blocks.get(place), side, room);
  });
}

/** Returns dots in columns around a place, by verdict: as many columns as they need, closer where these are wider than there is room. */
function blockOf(strip, x, runs, side, room) {
  runs.sort((a, b) => strip.verdicts[a] - strip.verdicts[b]);
  const columns = room < side ? 1 : Math.ceil(runs.length / Math.floor(STRIP.band / side));
  const rows = Math.ceil(runs.length / columns);
  const across = Math.min(side, room / Math.max(columns - 1, 1));
  const down = Math.min(side, (STRIP.band - side) / Math.max(rows - 1, 1));
  return runs.map((run, rank) => {
    const column = Math.floor(rank / rows);
    const last = Math.min(rows, runs.length - column * rows) - 1;
    return { run, x: x + (column - (columns - 1) / 2) * across, y: strip.middle + ((rank % rows) - last / 2) * down };
  });
}

/** Returns the words beside or above a strip, and at its ends. */
function stripWords(strip, width, narrow) {
  const { ink, soft } = palette();
  const common = { showarrow: false, xref: "x", yref: "y", yanchor: "top", align: "left", borderpad: 0 };
  const said = `<span style="color:${soft}">${holdWords(strip.verdicts)}</span>`;
  const name = { ...common, x: 0, xshift: narrow ? -28 : -STRIP.names - 26, xanchor: "left", y: strip.top, text: [...strip.lines.map(forPlotly), said].join("<br>"), font: { size: 12, color: ink } };
  const below = { ...common, y: strip.middle + STRIP.band / 2, font: { size: 11, color: soft } };
  const [low, high] = strip.ends;
  if (low === undefined) return [name];
  if (low === high) return [name, { ...below, x: width / 2, xanchor: "center", text: forPlotly(low) }];
  return [name, { ...below, x: 0, xanchor: "left", text: forPlotly(low) }, { ...below, x: width, xanchor: "right", text: forPlotly(high) }];
}

/** Returns the dots of one verdict as a trace. */
function verdictTrace(figure, verdict, dots, size) {
  const { ink, paper, verdicts } = palette();
  const { runs, links } = figure.plotted;
  const these = dots.filter(({ run, strip }) => strip.verdicts[run] === verdict);
  const { words, symbol } = VERDICTS[verdict];
  return {
    type: "scatter",
    mode: "markers",
    name: words,
    x: these.map(({ x }) => x),
    y: these.map(({ y }) => y),
    customdata: these.map(({ run }) => links[run]),
    text: these.map(({ run, strip }) => `${forPlotly(runs[run])}: ${inUnit(strip.unit, strip.numbers[run])}`),
    hovertemplate: `%{text}<br>${words}<extra></extra>`,
    cliponaxis: false,
    marker: { size, symbol, color: verdicts[verdict], line: { color: these.map(({ run }) => (links[run] ? ink : paper)), width: these.map(({ run }) => (links[run] ? 1 : 0.5)) } },
  };
}

KINDS.strips = {
  reads: [],
  missing: ({ plotted }) => lacks(plotted.values, plotted.verdicts),

  /** Reserves the height of all strips. */
  prepare(figure) {
    figure.numbers = matrix(figure.plotted.values);
    figure.verdicts = matrix(figure.plotted.verdicts);
    figure.shown = shownVerdicts(figure);
    this.reserve(figure);
  },

  /** Gives the plot the height of its strips in the present width, and returns them. */
  reserve(figure) {
    const strips = stripsOf(figure);
    // On a phone a verdict takes a line of the legend.
    figure.around = isNarrow(figure) ? { l: 28, r: 28, t: 16 + 20 * figure.shown.length, b: 4 } : { l: STRIP.names + 26, r: 28, t: 40, b: 4 };
    figure.plot.style.height = `${figure.around.t + figure.around.b + (strips.at(-1)?.bottom ?? 0)}px`;
    return strips;
  },

  /** Draws a strip for each claim; axes are pixels. */
  draw(figure) {
    const strips = this.reserve(figure);
    const { l, r } = figure.around;
    const width = figure.plot.clientWidth - l - r;
    const many = figure.numbers.length;
    const size = many > 160 ? 5 : many > 60 ? 7 : 9;
    const side = size + (figure.plotted.links.some(Boolean) ? 2 : 1);
    const dots = strips.flatMap((strip) => placedDots(strip, width, side).map((dot) => ({ ...dot, strip })));
    const { rule } = palette();
    const pixels = { visible: false, fixedrange: true, showgrid: false, zeroline: false };
    return drawPlot(figure, figure.shown.map((verdict) => verdictTrace(figure, verdict, dots, size)), {
      margin: figure.around,
      dragmode: false,
      showlegend: true,
      legend: { itemsizing: "constant", ...(isNarrow(figure) && { entrywidth: 1 }) },
      xaxis: axis({ ...pixels, range: [0, width] }),
      yaxis: axis({ ...pixels, range: [strips.at(-1)?.bottom ?? 1, 0] }),
      shapes: strips.map(({ middle }) => ({ type: "line", x0: 0, x1: width, y0: middle, y1: middle, layer: "below", line: { color: rule, width: 1 } })),
      annotations: strips.flatMap((strip) => stripWords(strip, width, isNarrow(figure))),
    });
  },

  listen: openLinks,

  rows(figure) {
    const { names, runs } = figure.plotted;
    const of = (row, run) => row.map((number, claim) => [runs[run], names[claim], number, VERDICTS[verdictAt(figure, run, claim)].words]);
    return [["run", "claim", "value", "verdict"], ...figure.numbers.flatMap(of)];
  },
};
