// Calls to this server with the visitor's key, which is kept in this tab's session storage and nowhere else.
import { words } from "./shared.js";

const PLACE = "servery-key";

export class Refused extends Error {
  constructor(status, { message, hint, param }) {
    // What to do about a missing key stands on the page; the hint speaks of headers.
    super(hint && status !== 401 ? `${message} ${hint}` : message);
    this.status = status;
    this.param = param;
  }
}

export function keptKey() {
  return sessionStorage.getItem(PLACE);
}

export function keepKey(key) {
  sessionStorage.setItem(PLACE, key);
}

export function forgetKey() {
  sessionStorage.removeItem(PLACE);
}

export async function call(path, options = {}, key = keptKey()) {
  // Other characters cannot stand in a header: the browser would throw an error nobody understands.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Refused(401, { message: words.key_letters });
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${key}` } });
  } catch {
    throw new Refused(0, { message: words.unreachable });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(response.status, body.error ?? { message: `${response.status} ${response.statusText}` });
}
