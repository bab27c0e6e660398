// Designs to choose from, a row each: dimensions, what is expected of them, and whether the limits are kept.
import { element, shown, table } from "../drawn.js";
import { words } from "../shared.js";

export const fits = ({ candidates }) => Array.isArray(candidates) && candidates.every((candidate) => "design" in candidate);

export function draw({ candidates, evaluated, feasible }) {
  const [first] = candidates;
  if (!first) return element("p", { textContent: words.nothing_found });
  const [dimensions, quantities] = [Object.keys(first.design), Object.keys(first.predicted)];
  const rows = candidates.map((candidate) => [
    ...dimensions.map((name) => candidate.design[name]),
    ...quantities.map((name) => spread(candidate.predicted[name])),
    [candidate.is_feasible ? words.keeps_limits : words.breaks_limits, candidate.is_on_front ? words.on_front : ""].filter(Boolean).join(" · "),
  ]);
  const told = `${words.evaluated}: ${evaluated} · ${words.keeps_limits}: ${feasible}`;
  return element("div", {}, table([...dimensions, ...quantities, ""], rows), element("p", { className: "small soft", textContent: told }));
}

function spread({ value, low, high }) {
  return low === null ? shown(value) : `${shown(value)} (${shown(low)} – ${shown(high)})`;
}
