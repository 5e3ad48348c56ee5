/**
 * Extraction: each document is read on its own, every value comes with the words that it was taken from, and code finds
 * the place of these words again. What was not found, does not fit, was given twice or could not be read is named.
 */
export default async function (run, inputs) {
  const fields = wanted(inputs);
  const names = fields.map((field) => field.name);
  const read = await Promise.all(
    inputs.documents.map(async (document) => {
      const called = calledIn(inputs.documents, document);
      try {
        return { document, called, values: await run.step("read", { document, fields, names }) };
      } catch (error) {
        return { document, called, values: null, why: error.reason, error };
      }
    }),
  );
  // Where no document could be read there is nothing to tell: the run fails, and can be resumed.
  if (read.length > 0 && read.every(({ error }) => error)) throw read[0].error;

  const notes = [];
  const records = read.flatMap(({ document, called, values }) => recordsOf(document.text, called, values ?? [], notes));
  notes.push(...(await misfits(run, inputs, records)));
  for (const { called, values, why } of read) {
    if (values === null) notes.push(`${called} was not read: ${why ?? "it was skipped"}.`);
    else if (values.length === 0) notes.push(`${called} has none of the fields.`);
  }

  // The document's own column gives way to a field of that name.
  let column = "document";
  while (names.includes(column)) column = `source ${column}`;
  const json = JSON.stringify(records.map(({ document, values }) => ({ [column]: document, ...values })), null, 2);
  run.document("json", { title: "Records", body: json });
  run.document("csv", { title: "Records", body: csv(column, names, records) });
  return { title: `${names.slice(0, 3).join(", ")} from ${count(inputs.documents.length, "document")}`, body: report(names, records, notes) };
}

/** A document's name, or its path where another one has that name. */
function calledIn(documents, { name, path }) {
  return documents.filter((document) => document.name === name).length > 1 ? path : name;
}

/** The fields by name, each with what it is. */
function wanted(inputs) {
  if (inputs.schema) {
    return Object.entries(inputs.schema.properties).map(([name, about]) => {
      const is = [about.description, about.type && `type ${[about.type].flat().join(" or ")}`, about.format, about.enum && `one of ${about.enum.join(", ")}`];
      return { name, is: is.filter(Boolean).join("; ") };
    });
  }
  const lines = inputs.fields.split("\n").map((line) => line.replace(/^\s*[-*]\s*/, "").trim()).filter(Boolean);
  const all = lines.map((line) => {
    const [name, ...is] = line.split(":");
    return { name: name.trim(), is: is.join(":").trim() };
  });
  return all.filter(({ name }, at) => all.findIndex((other) => other.name === name) === at);
}

/**
 * The values of a document as records: each an object, with the place of every value. A value that a record already has is
 * named in `notes`.
 */
function recordsOf(text, document, values, notes) {
  const records = new Map();
  // Where the words of each field were found last: those of the next record come behind it.
  const found = new Map();
  for (const { record: number, field, value, quote } of [...values].sort((one, other) => one.record - other.record)) {
    // Without a prototype, so that a field may have any name.
    const empty = () => Object.create(null);
    if (!records.has(number)) records.set(number, { document, number, values: empty(), places: empty() });
    const record = records.get(number);
    if (field in record.values) {
      const [first, other] = [record.values[field], value].map((one) => JSON.stringify(one));
      if (first !== other) notes.push(`${document}, record ${number}: two values for ${field}. ${first} is kept, ${other} is not.`);
      continue;
    }
    record.values[field] = value;
    const hits = hitsOf(text, quote);
    const at = hits.find((hit) => hit > (found.get(field) ?? -1)) ?? hits[0];
    found.set(field, at);
    record.places[field] = { line: lineAt(text, at), lines: [...new Set(hits.map((hit) => lineAt(text, hit)))], quote };
  }
  return [...records.values()];
}

/** At most this many places of the same words are looked for. */
const MOST_HITS = 50;

/** Where a quote begins; line breaks and spaces in it count as one space. */
function hitsOf(text, quote) {
  const words = quote.split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+"), "g");
  const hits = [];
  for (let hit; hits.length < MOST_HITS && (hit = pattern.exec(text)); ) hits.push(hit.index);
  return hits;
}

/** The number of the line, from 1, that a place is in. Null for no place. */
function lineAt(text, at) {
  return at === undefined ? null : text.slice(0, at).split("\n").length;
}

/** What does not fit the person's schema. A record that the person corrects counts as they have it. */
async function misfits(run, inputs, records) {
  if (!inputs.schema) return [];
  const notes = records.map(async (record) => {
    const item = `${record.document}, record ${record.number}`;
    try {
      Object.assign(record.values, await run.step("fit", { item, record: record.values }));
      return null;
    } catch (error) {
      // A schema that cannot be used fits no record at all.
      if (error.class === "definition") return `The records were not compared with the schema: ${error.reason}`;
      return `${item} does not fit the schema: ${error.reason}`;
    }
  });
  return [...new Set(await Promise.all(notes))].filter((note) => note !== null);
}

function report(names, records, notes) {
  const cell = (value) => String(value ?? "").replace(/\|/g, "\\|").replace(/\s+/g, " ").trim();
  const row = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  const table = [row(["Document", ...names]), `|${"---|".repeat(names.length + 1)}`];
  table.push(...records.map(({ document, values }) => row([document, ...names.map((name) => values[name])])));

  const where = ({ line, lines }) => {
    if (line === null) return "not found again";
    return lines.length > 1 ? `line ${line} (these words are in lines ${lines.join(", ")})` : `line ${line}`;
  };
  const places = records.flatMap(({ document, places }) =>
    Object.entries(places).map(([name, place]) => `- ${document}, ${name}: ${where(place)}, “${place.quote.replace(/\s+/g, " ")}”`),
  );
  const absent = records.flatMap(({ document, values }) => {
    const missing = names.filter((name) => !(name in values));
    return missing.length ? [`- ${document}: ${missing.join(", ")}`] : [];
  });
  const parts = [records.length ? table.join("\n") : "Nothing was found."];
  if (notes.length) parts.push(`## To be looked at\n\n${notes.map((note) => `- ${note}`).join("\n")}`);
  if (absent.length) parts.push(`## Not found\n\n${absent.join("\n")}`);
  if (places.length) parts.push(`## Where each value is\n\n${places.join("\n")}`);
  return parts.join("\n\n");
}

/** The records as comma-separated values. */
function csv(column, names, records) {
  const cell = (value) => {
    const text = String(value ?? "");
    // A spreadsheet takes what begins like this for a formula; a number with a sign is none.
    const isFormula = typeof value === "string" && /^([=@\t\r]|[+-](?![\d\s().,/-]*$))/.test(text);
    const safe = isFormula ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const rows = [[column, ...names], ...records.map(({ document, values }) => [document, ...names.map((name) => values[name])])];
  return rows.map((row) => row.map(cell).join(",")).join("\n");
}

function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
