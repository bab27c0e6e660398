// One number, with the span it lies in: a forecast of a value, a score of a pair, the length of a vector.
import { element, shown } from "../drawn.js";
import { words } from "../shared.js";

export const fits = ({ value, score, embedding, tokens }) =>
  typeof value === "number" || Array.isArray(embedding) || (typeof score === "number" && typeof tokens === "number");

export function draw({ value, low, high, coverage, score, embedding }) {
  if (embedding) return element("p", { className: "best", textContent: `${embedding.length} ${words.numbers_of_vector}` });
  const span = typeof low === "number" ? element("p", { className: "soft", textContent: `${shown(low)} – ${shown(high)} (${shown(100 * coverage)} %)` }) : null;
  return element("div", {}, element("p", { className: "best", textContent: shown(value ?? score) }), span);
}
