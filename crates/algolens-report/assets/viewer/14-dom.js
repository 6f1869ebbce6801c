// Building elements.

/** Makes an element: `on` holds listeners, `class` and `text` are what they say, the rest are attributes. */
function el(tag, { on = {}, class: classes, text, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (classes) node.className = classes;
  if (text !== undefined) node.textContent = text;
  for (const [name, setting] of Object.entries(attributes)) node.setAttribute(name, setting);
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  node.append(...children);
  return node;
}

/** Makes an SVG element with attributes. */
function svg(tag, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, setting] of Object.entries(attributes)) node.setAttribute(name, setting);
  return node;
}

/** Makes a label around a control, its words before the control. */
function labelled(words, control) {
  return el("label", {}, el("span", { text: words }), control);
}

/** Makes a radio button with its words after it. */
function radio(name, words, checked, choose) {
  const input = el("input", { type: "radio", name, on: { change: choose } });
  input.checked = checked;
  return el("label", {}, input, el("span", { text: words }));
}

/** Makes a swatch of a colour. */
function swatchOf(colour) {
  const swatch = el("span", { class: "swatch" });
  swatch.style.setProperty("--head", colour);
  return swatch;
}

/** Makes a swatch in a head's colour. */
function headSwatch(head) {
  return swatchOf(headColour(head));
}

/** Fills a legend line with the colours and names of heads; `brief` leaves the word out. */
function fillHeadLegend(line, heads, brief = false) {
  line.replaceChildren(
    ...heads.map((head) => el("span", {}, headSwatch(head), (brief ? "" : "head ") + HEADS[head])),
  );
}

/** Makes a menu of the lists by group that shows and sets the selected list. */
function listMenu(words) {
  const groups = new Map();
  LISTS.forEach((list, index) => {
    if (!groups.has(list.group)) groups.set(list.group, el("optgroup", { label: list.group }));
    groups.get(list.group).append(el("option", { value: index, text: list.name }));
  });
  const choose = () => selectList(Number(menu.value));
  const menu = el("select", { class: "lists", "aria-label": words, on: { change: choose } }, ...groups.values());
  const follow = () => { menu.value = String(state.list); };
  watch(["list"], follow);
  follow();
  return menu;
}
