// The selection and the place on the page, kept in the URL's fragment.

let pagePlace = "";
let fragmentTimer = 0;

/** Returns the fragment that stands for the selection. */
function fragmentText() {
  const ofLists = () => [`list=${state.list}`, `query=${state.query}`, `heads=${state.heads.join(",")}`, `main=${state.main}`, `token=${state.token}`];
  const fields = LISTS.length > 0 ? ofLists() : [];
  if (state.key !== null) fields.push(`key=${state.key}`);
  if (state.scores !== "drawn") fields.push(`scores=${state.scores}`);
  if (state.class !== null) fields.push(`class=${className(CLASSES[state.class])}`);
  if (pagePlace) fields.push(`s=${encodeURIComponent(pagePlace)}`);
  return "#" + fields.join("&");
}

/** Writes the fragment; pages without a history of their own (an embedded frame) do without. */
function writeFragment(push = false) {
  clearTimeout(fragmentTimer);
  const text = fragmentText();
  if (text === location.hash) return;
  try {
    history[push ? "pushState" : "replaceState"](null, "", text);
  } catch {
    // The selection works without being remembered.
  }
}

/** Writes the fragment soon: browsers limit how often it may change. */
function rememberSelection() {
  clearTimeout(fragmentTimer);
  fragmentTimer = setTimeout(writeFragment, 250);
}

/** Notes where on the page the reader is. */
function rememberPlace(id) {
  if (id === pagePlace) return;
  pagePlace = id;
  rememberSelection();
}

/** Returns the id that an in-page link such as "#circuits" names; broken escapes stay as they are. */
function idOfLink(text) {
  const bare = text.replace(/^#/, "");
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** Reads a fragment: the fields of the selection it names, and the place. A bare fragment is a place. */
function readFragment(text) {
  const bare = text.replace(/^#/, "");
  if (bare && !bare.includes("=")) return { patch: {}, place: idOfLink(bare) };
  const fields = new URLSearchParams(bare);
  const patch = {};
  for (const name of ["list", "query", "key", "main", "token"]) {
    if (fields.has(name)) patch[name] = Number.parseInt(fields.get(name), 10);
  }
  if (fields.has("heads")) patch.heads = fields.get("heads").split(",").map((head) => Number.parseInt(head, 10));
  if (fields.has("scores")) patch.scores = fields.get("scores");
  if (fields.has("class")) patch.class = CLASS_NAMES.get(fields.get("class"));
  const list = LISTS[patch.list ?? state.list];
  if (!fields.has("token") && (fields.has("list") || fields.has("query"))) {
    patch.token = list?.tokens[patch.query ?? state.query];
  }
  return { patch, place: fields.get("s") ?? "" };
}

/** Takes the selection and the place from the page's address. */
function followFragment() {
  const wanted = readFragment(location.hash);
  setState({ key: null, ...wanted.patch });
  if (wanted.place) scrollToId(wanted.place);
}
