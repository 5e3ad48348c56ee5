/**
 * Proofreading: a model suggests, the person decides about each suggestion, and nothing else in the text is touched.
 *
 * A suggestion counts only where its quote occurs exactly once in the part that was read; the text is put together from
 * its own pieces and what was accepted, so that every other character is as it was.
 */
export default async function (run, inputs) {
  const text = inputs.file ? inputs.file.text : inputs.text;
  const parts = divided(text);
  const { found, unread } = await readAll(run, parts);

  const { placed, passed } = placedIn(parts, found);
  // A suggestion that the person skipped comes back as null.
  const decided = await Promise.all(placed.map(({ suggestion }) => run.step("suggestion", { suggestion })));

  let body = "";
  let end = 0;
  placed.forEach((place, at) => {
    if (decided[at] === null) return;
    body += text.slice(end, place.from) + fitted(text.slice(place.from, place.to), decided[at].replacement, place.exact);
    end = place.to;
  });
  body += text.slice(end);

  run.document("suggestions", { title: "Suggestions", body: report(placed, decided, passed, unread) });
  return { title: titled(inputs, text), body };
}

/** What was found in each part. A part that fails, or that the person skips, ends nothing: it is named. */
async function readAll(run, parts) {
  const [unread, failures] = [[], []];
  const name = (at) => (parts.length > 1 ? `Part ${at + 1} of ${parts.length}, from “${beginning(parts[at].text)}” on,` : "The text");
  const read = async (part, at) => {
    try {
      const found = await run.step("find", { part: part.text, number: at + 1, count: parts.length });
      if (found === null) unread[at] = `${name(at)} was not read: it was skipped.`;
      return found ?? [];
    } catch (error) {
      failures.push(error);
      unread[at] = `${name(at)} was not read: ${error.reason.replace(/\.$/, "")}.`;
      return [];
    }
  };
  const found = await Promise.all(parts.map(read));
  // Where nothing could be read there is no text to hand back: the run fails, and can be resumed.
  if (failures.length === parts.length) throw failures[0];
  return { found, unread: unread.filter(Boolean) };
}

function beginning(text) {
  return [...text.trim().replace(/\s+/g, " ")].slice(0, 40).join("").trim();
}

/** The longest part that is read at once, in characters: beyond that a model overlooks more. */
const LONGEST = 8000;

/** The text in parts that end with a paragraph, where there is one. */
function divided(text) {
  const parts = [];
  let from = 0;
  while (text.length - from > LONGEST) {
    const piece = text.slice(from, from + LONGEST);
    const cuts = [/^.*\n\r?\n/s, /^.*\n/s, /^.* /s].map((upTo) => upTo.exec(piece)?.[0].length ?? 0);
    let cut = from + (cuts.find((length) => length > LONGEST / 2) ?? LONGEST);
    // Not between the two halves of a character.
    if (/[\uD800-\uDBFF]/.test(text[cut - 1])) cut -= 1;
    parts.push({ from, text: text.slice(from, cut) });
    from = cut;
  }
  parts.push({ from, text: text.slice(from) });
  return parts;
}

/** Where each suggestion belongs, in the order of the text; and those that cannot be placed, with the reason. */
function placedIn(parts, found) {
  const all = [];
  const passed = [];
  parts.forEach((part, at) => {
    for (const suggestion of found[at]) {
      if (suggestion.quote === suggestion.replacement) continue;
      const hits = hitsOf(part.text, suggestion.quote);
      if (hits.length === 0) passed.push({ suggestion, why: "these words do not occur in the text" });
      else if (hits.length > 1) passed.push({ suggestion, why: "these words occur in it more than once" });
      else all.push({ ...hits[0], suggestion, from: part.from + hits[0].from, to: part.from + hits[0].to });
    }
  });
  all.sort((one, other) => one.from - other.from || one.to - other.to);
  const placed = [];
  for (const place of all) {
    const before = placed[placed.length - 1];
    if (before && place.from < before.to) passed.push({ suggestion: place.suggestion, why: "it overlaps the one before it" });
    else placed.push(place);
  }
  return { placed, passed };
}

/** Where a quote occurs, at most twice: to the letter, or else with other blanks and line breaks, because a model folds them. */
function hitsOf(text, quote) {
  const exact = matches(text, escaped(quote), true);
  return exact.length > 0 ? exact : matches(text, quote.split(/\s+/).map(escaped).join("\\s+"), false);
}

function matches(text, pattern, exact) {
  const found = new RegExp(pattern, "g");
  const hits = [];
  for (let hit; hits.length < 2 && (hit = found.exec(text)); found.lastIndex = hit.index + 1) {
    hits.push({ from: hit.index, to: hit.index + hit[0].length, exact });
  }
  return hits;
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * What is put in instead of some words of the text. Where their blanks were folded in the quote, those of the text stay: each
 * between the same two words if there are as many, else the line breaks in its manner.
 */
function fitted(was, replacement, exact) {
  if (exact) return replacement;
  const [words, blanks] = [replacement.split(/\s+/), was.match(/\s+/g) ?? []];
  if (words.length === blanks.length + 1) return words.map((word, at) => word + (blanks[at] ?? "")).join("");
  return was.includes("\r\n") ? replacement.replace(/\r?\n/g, "\r\n") : replacement;
}

/** What was suggested, and what came of it. */
function report(placed, decided, passed, unread) {
  const line = ({ quote, reason }, end) => `- “${quote}” ${end} *${reason}*`;
  const rows = placed.map(({ suggestion }, at) =>
    line(suggestion, decided[at] === null ? "stays." : `→ “${decided[at].replacement}”.`),
  );
  const left = passed.map(({ suggestion, why }) => line(suggestion, `→ “${suggestion.replacement}” was not put to you: ${why}.`));
  const all = [...unread.map((line) => `- ${line}`), ...rows, ...left];
  return all.length === 0 ? "Nothing to suggest." : all.join("\n");
}

function titled(inputs, text) {
  if (inputs.file) return inputs.file.name;
  const line = text.split("\n").find((line) => line.trim() !== "") ?? "";
  // By characters: half of one is none.
  return [...line.trim()].slice(0, 60).join("");
}
