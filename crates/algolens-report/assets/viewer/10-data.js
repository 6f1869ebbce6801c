
// The report's numbers: the embedded JSON and its arrays.

const REPORT = JSON.parse(document.getElementById("data").textContent);
const LISTS = REPORT.lists ?? [];
const HEADS = REPORT.heads ?? [];
const FIRST_HEADS = REPORT.first_heads ?? [];
const PREDICTED = REPORT.positions ?? [];
const ANSWERS_FOLLOW = REPORT.answers_follow ?? false;
const CAUSAL = REPORT.causal ?? true;
const LABELS = { tokens: [], classes: [], positions: [], ...REPORT.labels };
// The tokens and classes along the axes of the vocabulary, and what is written beside each axis.
const SHOWN = { tokens: [], classes: [], ...REPORT.shown };
const AXES = {
  tokens: SHOWN.tokens.map(tokenLabel),
  classes: SHOWN.classes.map(classLabel),
  positions: LABELS.positions,
};

const decodedArrays = new Map();

/** Turns base64 text into the 32-bit floats it holds. */
function decodeFloats(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Says whether the report carries the array `name`. */
function hasArray(name) {
  return Object.hasOwn(REPORT.arrays ?? {}, name);
}

/** Returns `{shape, data}` of an array, decoded at its first use. */
function tensor(name) {
  if (!decodedArrays.has(name)) {
    const { shape, data } = REPORT.arrays[name];
    decodedArrays.set(name, { shape, data: decodeFloats(data) });
  }
  return decodedArrays.get(name);
}

/** Returns the part of an array that remains after fixing its leading axes. */
function slice(name, ...lead) {
  const { shape, data } = tensor(name);
  let start = 0;
  let size = data.length;
  lead.forEach((index, depth) => {
    size /= shape[depth];
    start += index * size;
  });
  return { shape: shape.slice(lead.length), data: data.subarray(start, start + size) };
}

/** Returns a number for a plot: blank (null) in place of NaN. */
function plain(x) {
  return Number.isNaN(x) ? null : x;
}

/** Returns a vector of an array as plain numbers. */
function vector(name, ...lead) {
  return Array.from(slice(name, ...lead).data, plain);
}

/** Returns a matrix of an array as rows of plain numbers. */
function matrix(name, ...lead) {
  const { shape, data } = slice(name, ...lead);
  const columns = shape[1];
  return Array.from({ length: shape[0] }, (_, row) =>
    Array.from(data.subarray(row * columns, (row + 1) * columns), plain),
  );
}

/** Returns one number of an array, null where it is blank. */
function value(name, ...index) {
  return plain(slice(name, ...index).data[0]);
}

/** Returns the largest absolute value of a whole array. */
function largestOf(name) {
  const array = tensor(name);
  array.largest ??= array.data.reduce((most, x) => (Number.isFinite(x) && Math.abs(x) > most ? Math.abs(x) : most), 0);
  return array.largest;
}

/** Returns the index of the largest number of a row, null when all are blank. */
function indexOfLargest(row) {
  let best = null;
  row.forEach((x, i) => {
    if (x !== null && (best === null || x > row[best])) best = i;
  });
  return best;
}

/** Returns the place of a head of the `pattern` array among the first block's heads, or -1. */
function firstHeadOf(head) {
  return FIRST_HEADS.indexOf(HEADS[head]);
}
