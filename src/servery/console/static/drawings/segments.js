// Parts of a picture, each laid over it in a colour of its own.
import { element, hues, shown, table } from "../drawn.js";
import { bytesOf, painted } from "../pictures.js";
import { words } from "../shared.js";

export const fits = ({ segments }) => Array.isArray(segments);

export function draw({ segments, width, height }, asked) {
  const hue = hues();
  const over = element("canvas", { width, height, className: "over" });
  over.setAttribute("aria-hidden", "true");
  const frame = element("div", { className: "layers" }, painted(asked.picture, words.asked_picture), over);
  const rows = segments.map(({ label, score, share }) => [label, shown(score), `${shown(100 * share)} %`]);
  const list = table([words.label, words.score, words.share], rows);
  const cells = list.querySelectorAll("td:first-child");
  cells.forEach((cell, place) => cell.classList.add("dotted", hue(segments[place].label)));
  // The colours are the list's, which is on the page only after this.
  requestAnimationFrame(async () => {
    for (const [place, { mask }] of segments.entries()) {
      await tint(over, mask, getComputedStyle(cells[place]).getPropertyValue("--hue"));
    }
  });
  return element("div", {}, frame, segments.length ? list : element("p", { textContent: words.nothing_found }));
}

// The mask's white pixels in one colour, half of it seen through.
async function tint(canvas, mask, colour) {
  const bitmap = await createImageBitmap(new Blob([bytesOf(mask)]));
  const layer = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  layer.fillStyle = colour;
  layer.fillRect(0, 0, canvas.width, canvas.height);
  const [r, g, b] = layer.getImageData(0, 0, 1, 1).data;
  layer.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const pixels = layer.getImageData(0, 0, canvas.width, canvas.height);
  for (let place = 0; place < pixels.data.length; place += 4) {
    pixels.data.set([r, g, b, pixels.data[place] > 127 ? 140 : 0], place);
  }
  layer.putImageData(pixels, 0, 0);
  canvas.getContext("2d").drawImage(layer.canvas, 0, 0);
}
