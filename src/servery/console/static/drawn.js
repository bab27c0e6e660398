// What drawings are made of: elements, lines and marks; never markup, which the page's policy forbids.
const NAMESPACE = "http://www.w3.org/2000/svg";
const HUES = 6;

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A picture made of lines, as wide as there is room; what it shows is said in words for those who cannot see it.
export function sketch(width, height, words, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, class: "sketch" }, ...children);
}

export function table(headings, rows) {
  const cells = (kind, texts) => element("tr", {}, ...texts.map((text) => element(kind, { textContent: shown(text) })));
  const body = element("tbody", {}, ...rows.map((row) => cells("td", row)));
  return element("div", { className: "scrolled" }, element("table", {}, element("thead", {}, cells("th", headings)), body));
}

export function shown(value) {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return value ?? "";
}

// Labels keep their hue within one answer, in the order in which they come.
export function hues() {
  const known = new Map();
  return (label) => {
    if (!known.has(label)) known.set(label, `hue-${known.size % HUES}`);
    return known.get(label);
  };
}

// A text with pieces of it marked. Places count characters as the server does, of which an emoji is one.
export function marked(text, pieces) {
  const characters = Array.from(text);
  const place = element("p", { className: "marked", dir: "auto" });
  let end = 0;
  for (const piece of [...pieces].sort((a, b) => a.start - b.start)) {
    if (piece.start < end) continue;
    place.append(characters.slice(end, piece.start).join(""));
    const mark = element("mark", { className: piece.hue ?? "hue-0" }, characters.slice(piece.start, piece.end).join(""));
    if (piece.label) mark.append(" ", element("span", { className: "mark-label", textContent: piece.label }));
    place.append(mark);
    end = piece.end;
  }
  place.append(characters.slice(end).join(""));
  return place;
}

// Maps numbers to places on an axis; where all are alike they stand in the middle.
export function scale(values, low, high) {
  const least = Math.min(...values);
  const span = Math.max(...values) - least;
  return (value) => (span ? low + ((value - least) / span) * (high - low) : (low + high) / 2);
}
