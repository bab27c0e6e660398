// What was said, and when each word was.
import { element, shown, sketch, svg } from "../drawn.js";
import { words } from "../shared.js";

const WIDTH = 640;

export const fits = (output) => Array.isArray(output.words) && "duration_seconds" in output;

export function draw(output) {
  const { words: heard } = output;
  const x = (seconds) => (WIDTH * seconds) / Math.max(output.duration_seconds, 0.001);
  const spoken = heard.flatMap(({ word, start, end }, place) => {
    const level = 10 + 34 * (place % 2);
    const text = svg("text", { x: x(start) + 2, y: level + 16, class: "small-text" });
    text.textContent = word;
    return [svg("rect", { x: x(start), y: level, width: Math.max(2, x(end) - x(start)), height: 24, rx: 4, class: "word" }), text];
  });
  const last = svg("text", { x: WIDTH, y: 98, "text-anchor": "end", class: "small-text faint" });
  last.textContent = `${shown(output.duration_seconds)} s`;
  const line = svg("line", { x1: 0, y1: 80, x2: WIDTH, y2: 80, class: "axis" });
  const times = sketch(WIDTH, 104, words.word_times, line, last, ...spoken);
  return element("div", {}, element("p", { className: "best", dir: "auto", textContent: output.text || words.nothing_heard }), times);
}
