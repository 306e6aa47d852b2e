// Station "page": ages by the board's own clock, for the reader's may be wrong.
import { reactive } from "vue";

export const clock = reactive({ ahead: 0, now: Date.now() / 1000 });

/** Takes over what time the board says it is, in seconds. */
export const set = (now) => {
  clock.ahead = now - Date.now() / 1000;
  clock.now = now;
};
setInterval(() => (clock.now = Date.now() / 1000 + clock.ahead), 5000);

const two = (number) => String(number).padStart(2, "0");

/** Writes a time of day; another day's with its date. */
export const moment = (seconds) => {
  const at = new Date(seconds * 1000);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
};

/** Writes how long ago something was. */
export const age = (since) => {
  const seconds = Math.max(0, Math.round(clock.now - since));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
};
