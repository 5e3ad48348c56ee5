/**
 * Proofreading: a model suggests, the person decides about each suggestion, and nothing else in the text is touched.
 *
 * A suggestion counts only where its quote occurs exactly once in the part that was read; the text is put together from
 * its own pieces and what was accepted, so that every other character is as it was.
 */
export default async function (run, inputs) {
  const text = inputs.file ? inputs.file.text : inputs.text;
  const parts = divided(text);
  const found = await Promise.all(
    parts.map((part, at) => run.step("find", { part: part.text, number: at + 1, count: parts.length })),
  );

  const { placed, passed } = placedIn(parts, found);
  // A suggestion that the person skipped comes back as null.
  const decided = await Promise.all(placed.map(({ suggestion }) => run.step("suggestion", { suggestion })));

  let body = "";
  let end = 0;
  placed.forEach((place, at) => {
    if (decided[at] === null) return;
    body += text.slice(end, place.from) + decided[at].replacement;
    end = place.to;
  });
  body += text.slice(end);

  run.document("suggestions", { title: "Suggestions", body: report(placed, decided, passed) });
  return { title: titled(inputs, text), body };
}

/** The longest part that is read at once, in characters: beyond that a model overlooks more. */
const LONGEST = 8000;

/** The text in parts that end with a paragraph, where there is one. */
function divided(text) {
  const parts = [];
  let from = 0;
  while (text.length - from > LONGEST) {
    const blank = text.lastIndexOf("\n\n", from + LONGEST);
    const line = text.lastIndexOf("\n", from + LONGEST);
    const space = text.lastIndexOf(" ", from + LONGEST);
    let cut = [blank + 2, line + 1, space + 1].find((at) => at > from + LONGEST / 2) ?? from + LONGEST;
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
    for (const suggestion of found[at] ?? []) {
      const { quote, replacement } = suggestion;
      const first = part.text.indexOf(quote);
      if (quote === replacement) continue;
      if (first < 0) passed.push({ suggestion, why: "these words do not occur in the text" });
      else if (part.text.indexOf(quote, first + 1) >= 0) passed.push({ suggestion, why: "these words occur in it more than once" });
      else all.push({ suggestion, from: part.from + first, to: part.from + first + quote.length });
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

/** What was suggested, and what came of it. */
function report(placed, decided, passed) {
  const line = ({ quote, reason }, end) => `- “${quote}” ${end} *${reason}*`;
  const rows = placed.map(({ suggestion }, at) =>
    line(suggestion, decided[at] === null ? "stays." : `→ “${decided[at].replacement}”.`),
  );
  const left = passed.map(({ suggestion, why }) => line(suggestion, `→ “${suggestion.replacement}” was not put to you: ${why}.`));
  if (rows.length + left.length === 0) return "Nothing to suggest.";
  return [...rows, ...left].join("\n");
}

function titled(inputs, text) {
  if (inputs.file) return inputs.file.name;
  const line = text.split("\n").find((line) => line.trim() !== "") ?? "";
  return line.trim().slice(0, 60);
}
