// A forecast as a line with its band, after the readings it looks back on.
import { element, scale, shown, sketch, svg, table } from "../drawn.js";
import { words } from "../shared.js";

const WIDTH = 640;
const HEIGHT = 240;
const MOST_PAST = 96;
const ROOM = 44;

export const fits = ({ values, low, high }) => [values, low, high].every(Array.isArray);

export function draw({ values, low, high, coverage }, asked) {
  const past = pastOf(asked).slice(-MOST_PAST);
  const steps = past.length + values.length;
  const x = scale([0, steps - 1], ROOM, WIDTH - 8);
  const y = scale([...past.filter(Number.isFinite), ...low, ...high], HEIGHT - 24, 12);
  const ahead = (numbers) => numbers.map((number, step) => `${x(past.length + step)},${y(number)}`);
  const band = svg("polygon", { points: [...ahead(high), ...ahead(low).reverse()].join(" "), class: "band" });
  const seen = past.map((number, step) => (Number.isFinite(number) ? `${x(step)},${y(number)}` : null));
  const children = [band, ...pieces(seen).map((points) => svg("polyline", { points: points.join(" "), class: "past" }))];
  const last = seen.at(-1);
  children.push(svg("polyline", { points: [...(last ? [last] : []), ...ahead(values)].join(" "), class: "future" }));
  for (const number of [Math.min(...low), Math.max(...high)]) {
    const text = svg("text", { x: ROOM - 6, y: y(number) + 4, "text-anchor": "end", class: "small-text faint" });
    text.textContent = shown(number);
    children.push(text);
  }
  const share = `${shown(100 * coverage)} %`;
  const legend = element("p", { className: "small soft", textContent: `${words.band} ${share}` });
  const rows = values.map((value, step) => [step + 1, value, low[step], high[step]]);
  const numbers = element("details", {}, element("summary", { textContent: words.numbers }), table([words.step, words.forecast, words.low, words.high], rows));
  return element("div", {}, sketch(WIDTH, HEIGHT, `${words.forecast}: ${values.map(shown).join(", ")}`, ...children), legend, numbers);
}

// The readings that were sent: of several columns the first.
function pastOf({ inputs }) {
  const readings = Object.values(inputs ?? {}).find(Array.isArray) ?? [];
  return readings.map((reading) => (typeof reading === "number" ? reading : NaN));
}

function pieces(points) {
  const found = [[]];
  for (const point of points) {
    if (point) found.at(-1).push(point);
    else found.push([]);
  }
  return found.filter((piece) => piece.length);
}
