/** Release notes: `workflow.toml` declares the steps, this says which of them to call with what. */

/** In the order in which they are read. */
const GROUPS = ["Breaking changes", "New", "Better", "Fixed", "Security"];

export default async function (run, inputs) {
  const count = await run.step("count", {});
  const log = await run.step("log", {});
  const portions = await run.step("portions", { log });
  const left_out = await run.step("left_out", { log, count });

  // All portions at once, then all groups. What the person skipped comes back as null.
  const sorted = await Promise.all(portions.map((item) => run.step("classify", { item })));
  const found = sorted.filter((groups) => groups !== null).flat();
  const items = GROUPS.map((group) => ({ group, entries: found.filter((one) => one.group === group).flatMap((one) => one.entries) }));
  const wanted = items.filter((item) => item.entries.length > 0);
  const written = await Promise.all(wanted.map((item) => run.step("write", { item })));
  const groups = wanted.map((item, n) => ({ name: item.group, notes: written[n] })).filter((group) => group.notes !== null);

  const notes = (await run.step("assemble", { groups, commits: portions.length > 0 })).trim();
  const skipped = (list, name) => list.map((one, n) => (one === null ? `${name(n)}, which was skipped.` : null)).filter(Boolean);
  const remarks = [
    ...(left_out ? [left_out] : []),
    ...skipped(sorted, (n) => `Not sorted: part ${n + 1} of ${sorted.length} of the log`),
    ...skipped(written, (n) => `Not written: “${wanted[n].group}”`),
  ];
  if (inputs.file && groups.length > 0) {
    try {
      const place = await run.step("place", {});
      const patch = await run.step("patch", { place, notes });
      await run.step("save", { place, patch });
    } catch (error) {
      // The notes are there, whether they were saved or not.
      remarks.push(`Not saved: ${error.reason}.`);
    }
  }
  const body = [notes, ...remarks.map((remark) => `*${remark}*`)].join("\n\n");
  return { title: `Release notes ${inputs.version}`, body };
}
