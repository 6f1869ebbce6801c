// Numbers and labels as text.

/** Writes a number with three significant digits and a true minus sign. */
function num(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  const size = Math.abs(x);
  if (size === 0) return "0";
  const text = size >= 1e5 || size < 1e-4 ? size.toExponential(1).replace("e+", "e").replace("-", "−") : String(Number(size.toPrecision(3)));
  return (x < 0 ? "−" : "") + text;
}

/** Writes ascending positions, those that follow each other as a run. */
function positionRuns(positions) {
  const runs = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last && last[1] + 1 === position) last[1] = position;
    else runs.push([position, position]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`)).join(", ");
}

/** Writes a number of an array so that no other one is written the same. */
function single(x) {
  const digits = [6, 7, 8, 9].find((count) => Math.fround(Number(x.toPrecision(count))) === x) ?? 9;
  return String(Number(x.toPrecision(digits))).replace("-", "−");
}

// Numbers of a unit in words, as the study's tables have them.
const UNITS = {
  share: (x) => `${(100 * x).toFixed(1)} %`,
  points: (x) => `${(100 * x).toFixed(1)} points`,
  count: (x) => x.toFixed(0),
  value: (x) => x.toFixed(0),
  ratio: (x) => `${x.toFixed(2)} times`,
  deviations: (x) => `${x.toFixed(1)} standard deviations`,
  logits: (x) => (x < 0 ? "" : "+") + x.toFixed(2),
  nats: (x) => x.toFixed(3),
  probability: (x) => x.toFixed(3),
  accuracy: (x) => x.toFixed(4),
};

/** Writes a number of a unit. */
function inUnit(unit, x) {
  return (UNITS[unit] ?? single)(x);
}

/** Returns text in lines of so many letters. */
function wrapped(text, letters) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= letters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Writes a weight or probability with two decimals. */
function share(x) {
  return x === null || x === undefined ? "–" : x.toFixed(2);
}

/** Returns the label of a token. */
function tokenLabel(token) {
  return LABELS.tokens[token] ?? String(token);
}

/** Returns the label of a predicted class. */
function classLabel(token) {
  return LABELS.classes[token] ?? String(token);
}

/** Returns the label of the token at a position of a list. */
function tokenAt(list, position) {
  return tokenLabel(list.tokens[position]);
}

/** Names a place of a list: its token and, in brackets, its position. */
function placeName(list, position) {
  return `${tokenAt(list, position)} (${position})`;
}

/** Makes text safe for Plotly, which reads tags and entities in its labels. */
function forPlotly(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Shortens a label so that it fits beside an axis. */
function tickLabel(text) {
  const letters = [...String(text)];
  return forPlotly(letters.length > 5 ? letters.slice(0, 4).join("") + "…" : text);
}

/** Writes rows of cells as CSV. */
function csvOf(rows) {
  const cell = (x) => {
    const text = x === null || x === undefined ? "" : String(x);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/** Lays out a labelled matrix as rows with a header row and a first column of names. */
function matrixRows(corner, rowNames, columnNames, cells) {
  return [[corner, ...columnNames], ...cells.map((row, i) => [rowNames[i], ...row])];
}
