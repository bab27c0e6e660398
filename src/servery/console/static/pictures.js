// Pictures on a canvas: an image element would need an address that the page's policy does not allow.
const LARGEST_PREVIEW = 512;
const TINY = 100;

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export async function paint(picture, canvas, largest = LARGEST_PREVIEW) {
  const bitmap = await createImageBitmap(picture);
  const { width, height } = bitmap;
  const scale = Math.min(1, largest / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.classList.toggle("tiny", Math.max(width, height) < TINY);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return `${width} × ${height}`;
}

// A canvas that fills itself with an encoded picture.
export function painted(base64, words) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  paint(new Blob([bytesOf(base64)]), canvas).catch(() => canvas.replaceWith(words));
  return canvas;
}

export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
