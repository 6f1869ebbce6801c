// The classes of a proof: predictions at one position, from one token, with one right answer.

const PROOF = REPORT.proof ?? null;
const CLASSES = Array.from(PROOF?.status ?? "", (status, i) => ({
  index: i,
  position: PROOF.positions[i],
  token: PROOF.tokens[i],
  target: PROOF.targets[i],
  status,
  share: PROOF.share[i],
  unproved: PROOF.unproved[i],
  wrong: PROOF.wrong[i],
}));
const CLASS_NAMES = new Map(CLASSES.map((one, i) => [className(one), i]));
const STATUS_WORDS = { c: "right on every list", r: "wrong on some list", u: "undecided" };

/** Returns the label of the token that predicts in a class. */
function predictingLabel({ token }) {
  return token === null ? "SEP" : tokenLabel(token);
}

/** Names a class in the page's address: position, token, right answer. */
function className(one) {
  return `${one.position}-${one.token ?? "SEP"}-${one.target}`;
}

/** Returns the number of the class that costs the proof most, null without a proof. */
function firstClass() {
  const cost = ({ share, unproved }) => share * unproved;
  return CLASSES.reduce((best, one) => (best === null || cost(one) > cost(CLASSES[best]) ? one.index : best), null);
}

/** Returns the classes of a position. */
function classesAt(position) {
  return CLASSES.filter((one) => one.position === position);
}

/** Returns the number of the class of a position that is nearest in one field ("token" or "target"), then in the other. */
function nearestClass({ position, token, target }, field = "token") {
  const far = (one) => {
    const off = { token: Math.abs((one.token ?? 0) - (token ?? 0)), target: Math.abs(one.target - target) };
    return off.token + off.target + off[field] * LABELS.tokens.length;
  };
  return classesAt(position).reduce((best, one) => (far(one) < far(best) ? one : best)).index;
}

/** Says why a figure of the proof cannot be drawn, else null. */
function lacksClasses() {
  return CLASSES.length ? null : "This proof has more classes than a page has room for.";
}
