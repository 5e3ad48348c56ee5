/**
 * Extraction: each document is read on its own, every value comes with the words that it was taken from, and code finds
 * the place of these words again. What was not found, does not fit or could not be read is named.
 */
export default async function (run, inputs) {
  const fields = wanted(inputs);
  const names = fields.map((field) => field.name);
  const read = await Promise.all(
    inputs.documents.map(async (document) => {
      try {
        return { document, values: await run.step("read", { document, fields, names }) };
      } catch (error) {
        return { document, values: null, why: error.message };
      }
    }),
  );

  const records = read.flatMap(({ document, values }) => recordsOf(document, values ?? []));
  const notes = await misfits(run, inputs, records);
  for (const { document, values, why } of read) {
    if (values === null) notes.push(`${document.name} was not read: ${why ?? "it was skipped"}.`);
    else if (values.length === 0) notes.push(`${document.name} has none of the fields.`);
  }

  const json = JSON.stringify(records.map(({ document, values }) => ({ document, ...values })), null, 2);
  run.document("json", { title: "Records", body: json });
  run.document("csv", { title: "Records", body: csv(names, records) });
  return { title: `${names.slice(0, 3).join(", ")} from ${count(inputs.documents.length, "document")}`, body: report(names, records, notes) };
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
  return lines.map((line) => {
    const [name, ...is] = line.split(":");
    return { name: name.trim(), is: is.join(":").trim() };
  });
}

/** The values of a document as records: each an object, with the place of every value. */
function recordsOf(document, values) {
  const records = new Map();
  for (const { record, field, value, quote } of values) {
    if (!records.has(record)) records.set(record, { document: document.name, values: {}, places: {} });
    const of = records.get(record);
    of.values[field] = value;
    of.places[field] = { line: lineOf(document.text, quote), quote };
  }
  return [...records.keys()].sort((one, other) => one - other).map((number) => records.get(number));
}

/** The line in which a quote begins, from 1; line breaks and spaces in it count as one space. Null where it is not found. */
function lineOf(text, quote) {
  const words = quote.split(/\s+/).filter(Boolean);
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s+");
  const at = pattern ? text.search(new RegExp(pattern)) : -1;
  return at < 0 ? null : text.slice(0, at).split("\n").length;
}

/** What does not fit the person's schema. */
async function misfits(run, inputs, records) {
  if (!inputs.schema) return [];
  try {
    await run.step("fit", { records: records.map(({ values }) => values) });
    return [];
  } catch (error) {
    return [`The records do not fit the schema: ${error.message}`];
  }
}

function report(names, records, notes) {
  const cell = (value) => String(value ?? "").replace(/\|/g, "\\|").replace(/\s+/g, " ").trim();
  const row = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  const table = [row(["Document", ...names]), `|${"---|".repeat(names.length + 1)}`];
  table.push(...records.map(({ document, values }) => row([document, ...names.map((name) => values[name])])));

  const places = records.flatMap(({ document, places }) =>
    Object.entries(places).map(([name, { line, quote }]) => `- ${document}, ${name}: ${line === null ? "not found again" : `line ${line}`}, “${quote.replace(/\s+/g, " ")}”`),
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
function csv(names, records) {
  const cell = (value) => {
    const text = String(value ?? "");
    // A spreadsheet takes what begins like this for a formula.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const rows = [["document", ...names], ...records.map(({ document, values }) => [document, ...names.map((name) => values[name])])];
  return rows.map((row) => row.map(cell).join(",")).join("\n");
}

function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
