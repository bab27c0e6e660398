// Items to offer, the best first, each with why.
import { element, shown } from "../drawn.js";
import { words } from "../shared.js";

export const fits = ({ items }) => Array.isArray(items) && items.every((item) => "item_id" in item);

export function draw({ items }) {
  return element("ol", { className: "offers" }, ...items.map(({ item_id, score, reasons = [] }) => {
    const because = reasons.map((reason) => reason.item_id).join(", ");
    const why = because && element("span", { className: "small soft", textContent: `${words.because_of} ${because}` });
    return element("li", {}, element("strong", { textContent: item_id }), ` ${shown(score)} `, why || null);
  }));
}
