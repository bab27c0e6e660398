// A text that was written: a translation, a summary, the words that go on. Of a summary also where it comes from.
import { element, marked, shown } from "../drawn.js";
import { words } from "../shared.js";

export const fits = (output) => typeof output.text === "string" && !("duration_seconds" in output);

export function draw({ text, sentences = [], alternatives = [] }, asked) {
  const made = element("div", {}, element("p", { className: "written", dir: "auto", textContent: text }));
  if (sentences.length) {
    made.append(element("h4", { textContent: words.taken_from }), marked(asked.text, sentences));
  }
  const others = alternatives.filter((other) => other.text !== text);
  if (others.length) {
    const items = others.map((other) => element("li", { dir: "auto", textContent: `${other.text} (${shown(other.score)})` }));
    made.append(element("h4", { textContent: words.alternatives }), element("ul", { className: "plain-list" }, ...items));
  }
  return made;
}
