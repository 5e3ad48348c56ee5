/**
 * A diff as a reviewer reads it: each line with its number in the new version, in parts that a small model can hold.
 */

import { linesOf } from "./git.js";

/** Characters of one part, and parts of one file. */
const LONGEST_PART = 20000;
const MOST_PARTS = 8;

const WIDTH = 6;
const HUNK = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/**
 * `{parts, rest, added, removed, whole}`: the texts to be reviewed one by one, the line of the new version from which on
 * there is none (else `null`), how many lines are added and removed up to there, and whether each hunk has all the lines
 * that it announces. A part ends where a hunk does, where that is not too far back.
 */
export function partsOf(diff) {
  const parts = [];
  let [rows, size, heading] = [[], 0, null];
  let [line, added, removed, whole, rest] = [0, 0, 0, true, null];
  // Lines of the old and the new version that the hunk still owes.
  let [old, now] = [0, 0];
  const put = (text, hunk) => {
    const full = size + text.length > LONGEST_PART || (hunk && size > LONGEST_PART * 0.7);
    if (rows.length > 0 && full) {
      parts.push(rows.join("\n"));
      if (parts.length === MOST_PARTS) return void (rest = line);
      rows = hunk || heading === null ? [] : [heading];
      size = 0;
    }
    rows.push(text);
    size += text.length + 1;
  };
  for (const row of linesOf(diff)) {
    // What is beyond is not reviewed, whatever it is.
    if (rest !== null) return { parts, rest, added, removed, whole: true };
    const sign = row[0];
    if (sign === "@") {
      const hunk = HUNK.exec(row);
      if (hunk === null) continue;
      whole &&= old === 0 && now === 0;
      [old, now, line] = [Number(hunk[1] ?? 1), Number(hunk[3] ?? 1), Number(hunk[2])];
      heading = `@@ ${hunk[4]}`.trimEnd();
      put(heading, true);
    } else if (old + now > 0 && sign === "-") {
      removed += 1;
      old -= 1;
      put(`${" ".repeat(WIDTH)} - ${row.slice(1)}`, false);
    } else if (old + now > 0 && (sign === "+" || sign === " ")) {
      put(`${String(line).padStart(WIDTH)} ${sign} ${row.slice(1)}`, false);
      added += sign === "+" ? 1 : 0;
      old -= sign === " " ? 1 : 0;
      now -= 1;
      line += 1;
    } else if (sign === "\\") {
      put(`${" ".repeat(WIDTH)}   (${row.slice(2)})`, false);
    }
  }
  if (rows.length > 0 && parts.length < MOST_PARTS) parts.push(rows.join("\n"));
  whole &&= old === 0 && now === 0;
  // What did not arrive was not reviewed either.
  if (!whole) rest ??= line;
  return { parts, rest, added, removed, whole };
}
