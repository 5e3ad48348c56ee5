/** Release notes: `workflow.toml` declares the steps, this says which of them to call with what. */
export default async function (run, inputs) {
  const log = await run.step("log");
  const sorted = await run.step("classify", { log });

  // All groups at once. A group that the person skipped comes back as null.
  const notes = await Promise.all(sorted.map((item) => run.step("write", { item })));
  const groups = sorted
    .map((item, n) => ({ name: item.group, notes: notes[n] }))
    .filter((group) => group.notes !== null);

  const text = (await run.step("assemble", { groups })).trim();
  if (inputs.file) {
    try {
      await run.step("save", { text });
    } catch (error) {
      // The notes are there, whether they were saved or not.
      console.log("not saved:", error.message);
    }
  }
  return { title: `Release notes ${inputs.version}`, body: text };
}
