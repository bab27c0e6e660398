// Names as nodes and what holds between them as arrows: relations in a text, links that are likely.
import { element, shown, sketch, svg } from "../drawn.js";
import { words } from "../shared.js";

const MOST_NODES = 8;
const LONGEST_NAME = 18;
const WIDTH = 640;
const ROW = 44;

export const fits = (output) => isRelation(output) || isLink(output);

const isRelation = ({ head, tail }) => Boolean(head?.text && tail?.text);
const isLink = (output) => Array.isArray(output.candidates) ? output.candidates.every((c) => "is_known" in c) : "is_true" in output;

export function draw(output, asked) {
  if (isRelation(output)) {
    return picture([output.head.text], [{ name: output.tail.text, isLikely: Boolean(output.relation) }], output.relation || words.no_relation);
  }
  const { head, relation, tail } = asked.inputs;
  const link = (score, isLikely) => `${relation ?? ""} ${score === undefined ? "" : shown(score)} ${isLikely ? "" : "?"}`.trim();
  if (!output.candidates) return picture([head], [{ name: tail, isLikely: output.is_true }], link(output.score, output.is_true));
  const found = output.candidates.slice(0, MOST_NODES).map(({ name, score, is_known }) => ({ name, score, isLikely: is_known }));
  const list = found.map((node) => ({ ...node, name: `${node.name}  ${shown(node.score)}` }));
  if (tail === null || tail === undefined) return picture([head], list, relation);
  if (head === null || head === undefined) return picture([tail], list, relation, true);
  return picture([`${head} → ${tail}`], list, "?");
}

// One name, and arrows between it and others; whole lines are known or said, broken ones guessed.
function picture([centre], others, relation, isTowards = false) {
  const height = Math.max(2, others.length) * ROW + 10;
  const arrows = others.map(({ isLikely }, place) => {
    const [from, to] = [[206, height / 2], [424, others.length === 1 ? height / 2 : place * ROW + 27]];
    const [[x1, y1], [x2, y2]] = isTowards ? [to, from] : [from, to];
    return svg("line", { x1, y1, x2, y2, class: isLikely ? "edge" : "edge guessed", "marker-end": "url(#arrow)" });
  });
  const nodes = others.map(({ name }, place) => node(name, 430, others.length === 1 ? height / 2 : place * ROW + 27));
  const named = svg("text", { x: 315, y: Math.max(14, height / 2 - 12), "text-anchor": "middle", class: "small-text told-text" });
  named.textContent = relation ?? "";
  const head = svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0 8 4 0 8z", class: "arrow" }));
  const said = `${centre} – ${relation} – ${others.map((o) => o.name).join(", ")}`;
  return element("div", {}, sketch(WIDTH, height, said, svg("defs", {}, head), ...arrows, node(centre, 0, height / 2), ...nodes, named));
}

function node(name, x, y) {
  const text = svg("text", { x: x + 100, y: y + 5, "text-anchor": "middle", class: "small-text" });
  const letters = Array.from(String(name));
  text.textContent = letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME - 1).join("")}…` : name;
  return svg("g", {}, svg("rect", { x: x + 1, y: y - 16, width: 200, height: 32, rx: 16, class: "node" }), text);
}
