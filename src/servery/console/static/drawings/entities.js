// Entities, marked in the text they were found in.
import { hues, marked } from "../drawn.js";
import { words } from "../shared.js";

export const fits = ({ entities }) => Array.isArray(entities);

export function draw({ entities }, asked) {
  const hue = hues();
  const pieces = entities.map((entity) => ({ ...entity, hue: hue(entity.label) }));
  const text = marked(asked.text, pieces);
  if (entities.length) return text;
  text.append(document.createElement("br"), words.nothing_found);
  return text;
}
