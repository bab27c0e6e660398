// What a command means: its intent, and its slots marked in what was said.
import { element, hues, marked, table } from "../drawn.js";
import { words } from "../shared.js";

export const fits = (output) => "intent" in output && Array.isArray(output.slots);

export function draw({ intent, score, slots, abstains }, asked) {
  const hue = hues();
  const pieces = slots.filter((slot) => Number.isInteger(slot.start)).map((slot) => ({ ...slot, label: slot.name, hue: hue(slot.name) }));
  const best = element("p", { className: "best", textContent: abstains ? words.none_selected : intent });
  const rows = [[words.intent, intent, score], ...slots.map((slot) => [slot.name, slot.value, slot.score])];
  return element("div", {}, best, marked(asked.text ?? "", pieces), table([words.name, words.value, words.score], rows));
}
