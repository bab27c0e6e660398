// A picture that was drawn, with the means to save it.
import { element } from "../drawn.js";
import { bytesOf, painted } from "../pictures.js";
import { words } from "../shared.js";

export const fits = (output) => typeof output.image === "string" && "width" in output;

export function draw({ image, width, height, images }, asked) {
  const save = element("button", { type: "button", className: "plain", textContent: words.save_picture });
  save.addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([bytesOf(image)], { type: "image/png" }));
    element("a", { href: address, download: "picture.png" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  });
  const said = `${asked.text ?? ""} ${width} × ${height}${images > 1 ? ` (${images})` : ""}`.trim();
  return element("figure", { className: "picture" }, painted(image, said), element("figcaption", { className: "small soft" }, said, " ", save));
}
