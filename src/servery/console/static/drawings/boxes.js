// Things in a picture, each in a box drawn over it.
import { element, hues, shown, svg, table } from "../drawn.js";
import { painted } from "../pictures.js";
import { words } from "../shared.js";

export const fits = ({ objects }) => Array.isArray(objects);

export function draw({ objects, width, height }, asked) {
  const hue = hues();
  const frame = element("div", { className: "layers" }, painted(asked.picture, words.asked_picture));
  const over = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const { label, box } of objects) {
    const place = { x: box.xmin, y: box.ymin, width: box.xmax - box.xmin, height: box.ymax - box.ymin };
    over.append(svg("rect", { ...place, class: `outline ${hue(label)}`, "vector-effect": "non-scaling-stroke" }));
  }
  frame.append(over);
  const rows = objects.map(({ label, score, box }) => [label, shown(score), Object.values(box).map(Math.round).join(", ")]);
  const list = table([words.label, words.score, words.box], rows);
  list.querySelectorAll("td:first-child").forEach((cell, place) => cell.classList.add("dotted", hue(objects[place].label)));
  return element("div", {}, frame, objects.length ? list : element("p", { textContent: words.nothing_found }));
}
