// What may stand in a gap of a text, as bars.
import { element } from "../drawn.js";
import { bar } from "./labels.js";

export const fits = ({ fillings }) => Array.isArray(fillings);

export function draw({ fillings }) {
  const bars = fillings.map((filling, place) => bar({ label: filling.token_str, score: filling.score, isChosen: place === 0 }));
  return element("ol", { className: "bars" }, ...bars);
}
