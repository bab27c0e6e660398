// Where agents were and where they will go, seen from above.
import { element, hues, shown, sketch, svg } from "../drawn.js";
import { words } from "../shared.js";

const WIDTH = 640;
const HEIGHT = 360;
const ROOM = 30;

export const fits = ({ agents }) => Array.isArray(agents) && agents.every((agent) => "positions_m" in agent);

export function draw({ agents, step_seconds }, asked) {
  const hue = hues();
  const past = asked.inputs?.agents ?? [];
  const known = (points) => points.filter(Boolean);
  const all = [...agents.flatMap((a) => [...known(a.positions_m), ...a.modes.flatMap((m) => known(m.positions_m))]), ...past.flatMap((a) => known(a.positions_m))];
  const { x, y, unit } = frame(all);
  const line = (points, name) => svg("polyline", { points: known(points).map(([a, b]) => `${x(a)},${y(b)}`).join(" "), class: name });
  const children = past.map((agent) => line(agent.positions_m, `past ${hue(agent.agent_id)}`));
  for (const { agent_id, positions_m, radius_m, modes } of agents) {
    children.push(...modes.map((mode) => line(mode.positions_m, `mode ${hue(agent_id)}`)));
    children.push(line(positions_m, `future ${hue(agent_id)}`));
    const [a, b] = positions_m.at(-1);
    children.push(svg("circle", { cx: x(a), cy: y(b), r: Math.max(3, radius_m.at(-1) * unit), class: `reach ${hue(agent_id)}` }));
    const name = svg("text", { x: x(a), y: y(b) - 8, "text-anchor": "middle", class: "small-text" });
    name.textContent = agent_id;
    children.push(name);
  }
  const seconds = step_seconds * Math.max(0, ...agents.map((agent) => agent.positions_m.length));
  const said = element("p", { className: "small soft", textContent: `${words.tracks_ahead} ${shown(seconds)} s` });
  return element("div", {}, sketch(WIDTH, HEIGHT, `${words.tracks}: ${agents.map((a) => a.agent_id).join(", ")}`, ...children), said);
}

// Metres to places, alike along both axes, north up.
function frame(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, bottom] = [Math.min(...xs), Math.min(...ys)];
  const spans = [Math.max(...xs) - left, Math.max(...ys) - bottom];
  const unit = Math.min((WIDTH - 2 * ROOM) / Math.max(spans[0], 1), (HEIGHT - 2 * ROOM) / Math.max(spans[1], 1));
  const [dx, dy] = [(WIDTH - unit * spans[0]) / 2, (HEIGHT - unit * spans[1]) / 2];
  return { unit, x: (value) => dx + unit * (value - left), y: (value) => HEIGHT - dy - unit * (value - bottom) };
}
