// The one selection that every figure reads and may change.

const state = firstState();

// The pair of positions under the pointer: it lights up, and passes.
const hover = { query: null, key: null };

const watchers = [];

/** Returns the selection of a page opened without a fragment. */
function firstState() {
  const last = Math.max((LISTS[0]?.tokens.length ?? 1) - 1, 0);
  const query = PREDICTED[PREDICTED.length >> 1] ?? last;
  const shown = Math.min(HEADS.length, 2);
  return {
    list: 0,
    query,
    key: null,
    heads: Array.from({ length: shown }, (_, head) => head),
    main: 0,
    token: shownOr(LISTS[0]?.tokens[query], SHOWN.tokens[0] ?? 0),
    scores: "drawn",
    class: firstClass(),
  };
}

/** Returns the selected list. */
function currentList() {
  return LISTS[state.list];
}

/** Returns the right classes of a prediction. */
function rightClasses(list, place) {
  return [list.expected[place]].flat();
}

/** Returns the classes that the model says at a prediction. */
function saidClasses(list, place) {
  return [list.predicted[place]].flat();
}

/** Calls `react` after each change of one of the named fields; "hover" is one of them. */
function watch(reads, react) {
  watchers.push({ reads, react });
}

/** Tells the watchers which fields changed. */
function tell(changed) {
  for (const { reads, react } of watchers) {
    if (reads.some((field) => changed.includes(field))) react(changed);
  }
}

/** Returns an index inside `0..length`, or the fallback. */
function indexOr(candidate, length, fallback) {
  return Number.isInteger(candidate) && candidate >= 0 && candidate < length ? candidate : fallback;
}

/** Returns a token that is among those shown, or the fallback. */
function shownOr(candidate, fallback) {
  return SHOWN.tokens.includes(candidate) ? candidate : fallback;
}

/** Mends a wished selection: out-of-range fields keep their old value, and the main head is always shown. */
function tidy(wish) {
  const length = LISTS[indexOr(wish.list, LISTS.length, state.list)]?.tokens.length ?? 0;
  const main = indexOr(wish.main, HEADS.length, state.main);
  const asked = Array.isArray(wish.heads) ? wish.heads : state.heads;
  const heads = new Set(asked.filter((head) => indexOr(head, HEADS.length, null) !== null));
  if (wish.main !== state.main || heads.size === 0) heads.add(main);
  const sorted = [...heads].sort((a, b) => a - b);
  return {
    list: indexOr(wish.list, LISTS.length, state.list),
    query: indexOr(wish.query, length, state.query),
    key: indexOr(wish.key, length, null),
    heads: sorted,
    main: heads.has(main) ? main : sorted[0],
    token: shownOr(wish.token, state.token),
    scores: wish.scores === "effective" ? "effective" : "drawn",
    class: indexOr(wish.class, CLASSES.length, state.class),
  };
}

/** Changes the selection and redraws what reads it; the promise ends when the drawn figures follow. */
function setState(patch) {
  const next = tidy({ ...state, ...patch });
  const changed = Object.keys(next).filter((field) => String(next[field]) !== String(state[field]));
  Object.assign(state, next);
  if (changed.length > 0) {
    if (hover.query !== null || hover.key !== null) setHover(null, null);
    tell(changed);
    rememberSelection();
  }
  return whenDrawn();
}

/** Lights up a pair of positions; null for none. */
function setHover(query, key) {
  if (hover.query === query && hover.key === key) return;
  Object.assign(hover, { query, key });
  tell(["hover"]);
}

/** Chooses a list: the query stays, and its token becomes the chosen token. */
function selectList(list) {
  return setState({ list, key: null, token: LISTS[list]?.tokens[state.query] });
}

/** Chooses a query position, with its token, and a key or none. */
function selectQuery(query, key = null) {
  return setState({ query, key, token: currentList().tokens[query] });
}

/** Shows or hides a head among those overlaid; the last one stays. */
function toggleHead(head) {
  const heads = state.heads.includes(head)
    ? state.heads.filter((other) => other !== head)
    : [...state.heads, head];
  return heads.length > 0 ? setState({ heads }) : whenDrawn();
}
